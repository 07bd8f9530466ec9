// "k-Sparse Autoencoders", tables 2 and 4: small NORB, with fixed features and after fine-tuning. Without its files the
// rows stay empty and say so.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/preprocessing/preprocessor.h"
#include "core/research/reproduction/compared_jobs.h"
#include "core/research/reproduction/fine_tuned_rows.h"
#include "core/research/reproduction/measured_features.h"
#include "core/research/reproduction/pictures.h"
#include "core/research/reproduction/recipes.h"

namespace kwta {
namespace {

constexpr char kNorb[] = "small-norb";
constexpr char kNoRbm[] = "not measured: standardised pixels are real numbers, and visible units of an RBM are binary";
constexpr char kCited[] = "not measured: the paper cites it";
constexpr uint32_t kNorbActive = 150;  // section 4.6
constexpr double kNorbAlpha = 2;

// Section 4.2.2. Rates that suit MNIST diverge on 2048 standardised pixels.
constexpr float kNorbRate = 0.0001f;

// The paper's sizes. Epochs have not been chosen on validation rows.
KSparseScale NorbScaleOf(const Workbench& bench) {
  if (bench.quick()) return {200, 200, 2, 2, kNorbRate, 0, 1000, 200, 200, {1}};
  return {4000, 400, 50, 50, kNorbRate, 0, 0, 0, 4300, {1, kNorbAlpha, 3}};
}

// Section 4.1: the inner 64 x 64 pixels of each view at half the size, standardised.
v1::JobSpec OnNorb(v1::JobSpec job) {
  job.mutable_training()->set_learning_rate(std::min(job.training().learning_rate(), kNorbRate));
  if (job.encoder().has_k_sparse()) {
    // alpha k units may be more than a quick run has.
    v1::KSparseSpec& encoder = *job.mutable_encoder()->mutable_k_sparse();
    encoder.set_encode_alpha(std::min<float>(kNorbAlpha, static_cast<float>(encoder.units()) / encoder.k()));
  }
  v1::PreprocessingSpec& preprocessing = *job.mutable_preprocessing();
  v1::CropStep& crop = *preprocessing.add_steps()->mutable_crop();
  crop.set_height(64);
  crop.set_width(64);
  v1::ResizeStep& resize = *preprocessing.add_steps()->mutable_resize();
  resize.set_height(32);
  resize.set_width(32);
  preprocessing.add_steps()->mutable_standardise();
  preprocessing.set_subtract_mean(false);  // it is zero
  return job;
}

// Rows of the preprocessed images that `model` encodes.
std::vector<FeatureChoice> PreprocessedChoice(const ModelBundle& model) {
  return {{"preprocessed pixels", [&model](const Dataset& data) -> absl::StatusOr<Tensor> {
             KWTA_ASSIGN_OR_RETURN(
                 const Preprocessor preprocessor,
                 Preprocessor::Load(model.description.preprocessing(), model.description.input_width(), model.tensors));
             const int64_t width = ElementCount(preprocessor.output_shape());
             Tensor rows(DType::kF32, {data.rows(), width});
             for (int64_t i = 0; i < data.rows(); ++i) {
               KWTA_RETURN_IF_ERROR(preprocessor.Apply(data.row(i), rows.as<float>() + i * width));
             }
             return rows;
           }}};
}

// Whether NORB is there; if not, the rows that `report` has so far get a note.
absl::StatusOr<bool> NorbIsThere(Workbench& bench, Report* report) {
  const absl::Status found = bench.Load(Part(kNorb, v1::DATASET_SPLIT_TRAIN, 1)).status();
  if (found.ok()) return true;
  if (!absl::IsNotFound(found)) return found;
  for (Measurement& row : report->tables.back().rows) {
    if (row.note.empty()) row.note = "not measured: small NORB is not there";
  }
  report->notes.push_back(absl::StrCat("The rows are empty: ", found.message()));
  return false;
}

}  // namespace

absl::Status KSparseTable2(Workbench& bench, Report* report) {
  const KSparseScale scale = NorbScaleOf(bench);
  report->title = "k-Sparse Autoencoders, table 2";
  report->notes = {absl::StrCat("Unsupervised features of ", scale.units,
                                " units on small NORB, judged by softmax regression. Rates and epochs of the encoders "
                                "have not been chosen on validation rows.")};
  report->tables.push_back({"Without fine-tuning", "test error, %", {}});
  std::vector<Measurement>& rows = report->tables.back().rows;
  rows = {{"Raw pixels", 23},
          {"RBM", 10.6, {}, nullptr, kNoRbm},
          {NameOf(ComparedMethod::kDropout), 10.1},
          {NameOf(ComparedMethod::kDenoising), 9.5},
          {"k-sparse autoencoder, k = 200", 10.4},
          {"k-sparse autoencoder, k = 150", 8.6},
          {"k-sparse autoencoder, k = 75", 9.5}};
  KWTA_ASSIGN_OR_RETURN(const bool there, NorbIsThere(bench, report));
  if (!there) return bench.Publish(report);
  KWTA_ASSIGN_OR_RETURN(const Dataset training, bench.Load(Part(kNorb, v1::DATASET_SPLIT_TRAIN, scale.training_rows)));
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part(kNorb, v1::DATASET_SPLIT_TEST, scale.test_rows)));
  ClassificationPlan plan = SoftmaxPlan(bench, scale.validation_rows);
  plan.training = &training;
  plan.test = &test;
  rows.clear();

  const auto measure = [&](const std::string& name, const std::string& label, double paper,
                           const std::function<v1::JobSpec(int)>& job,
                           const std::function<std::vector<FeatureChoice>(const ModelBundle&)>& choices) {
    MeasuredFeatures row{name, label, paper};
    row.job = [&](int seed) { return OnNorb(job(seed)); };
    row.choices = choices;
    return MeasureFeatures(bench, plan, row, report);
  };
  const auto k_sparse = [&](uint32_t k) { return [&, k](int seed) { return KSparseJob(scale, kNorb, k, seed); }; };
  const auto codes = [&](const ModelBundle& model) { return CodeChoice(bench, model); };
  // Any model has the preprocessing.
  KWTA_RETURN_IF_ERROR(
      measure("Raw pixels", absl::StrCat("NORB, k = ", kNorbActive), 23, k_sparse(kNorbActive), PreprocessedChoice));
  rows.push_back({"RBM", 10.6, {}, nullptr, kNoRbm});
  for (const auto& [method, paper] :
       {std::pair(ComparedMethod::kDropout, 10.1), std::pair(ComparedMethod::kDenoising, 9.5)}) {
    KWTA_RETURN_IF_ERROR(measure(
        NameOf(method), absl::StrCat("NORB, ", NameOf(method)), paper,
        [&, method = method](int seed) { return ComparedJob(scale, kNorb, method, seed); }, codes));
  }
  for (const auto& [k, paper] : {std::pair(200u, 10.4), std::pair(kNorbActive, 8.6), std::pair(75u, 9.5)}) {
    KWTA_RETURN_IF_ERROR(measure(absl::StrCat("k-sparse autoencoder, k = ", k), absl::StrCat("NORB, k = ", k), paper,
                                 k_sparse(k),
                                 [&](const ModelBundle& model) { return AlphaChoices(bench, model, scale.alphas); }));
  }
  return absl::OkStatus();
}

absl::Status KSparseTable4(Workbench& bench, Report* report) {
  const KSparseScale scale = NorbScaleOf(bench);
  struct Network {
    const char* label;
    double paper;
    std::function<v1::JobSpec(int seed)> job;  // empty: not measured
    int layers;
  };
  const auto compared = [&](ComparedMethod method) {
    return [&scale, method](int seed) { return ComparedJob(scale, kNorb, method, seed); };
  };
  const auto k_sparse = [&](int seed) { return KSparseJob(scale, kNorb, kNorbActive, seed); };
  const std::vector<Network> networks = {
      {"without pre-training", 12.7, [&](int seed) { return UntrainedJob(scale, kNorb, seed); }, 1},
      {"DBN", 8.3, {}, 0},
      {"DBM", 7.2, {}, 0},
      {"third-order RBM", 6.5, {}, 0},
      {"dropout autoencoder + fine-tuning, one layer", 8.2, compared(ComparedMethod::kDropout), 1},
      {"denoising autoencoder + fine-tuning", 7.9, compared(ComparedMethod::kDenoising), 1},
      {"dropout autoencoder + fine-tuning, two layers", 7.0, compared(ComparedMethod::kDropout), 2},
      {"k-sparse + fine-tuning, one layer", 7.8, k_sparse, 1},
      {"k-sparse + fine-tuning, two layers", 7.4, k_sparse, 2}};
  report->title = "k-Sparse Autoencoders, table 4";
  report->notes = {absl::StrCat("Layers of ", scale.units,
                                " units on small NORB, trained without labels, then "
                                "fine-tuned with the regularisation of their own training. No setting has been chosen "
                                "on validation rows.")};
  report->tables.push_back({"With fine-tuning", "test error, %", {}});
  std::vector<Measurement>& rows = report->tables.back().rows;
  for (const Network& network : networks) {
    rows.push_back({network.label, network.paper, {}, nullptr, network.job ? "" : kCited});
  }
  KWTA_ASSIGN_OR_RETURN(const bool there, NorbIsThere(bench, report));
  if (!there) return bench.Publish(report);
  KWTA_ASSIGN_OR_RETURN(const Parts parts, LoadParts(bench, scale, kNorb));
  for (size_t i = 0; i < networks.size(); ++i) {
    const Network& network = networks[i];
    for (int seed = 1; network.job && seed <= bench.seeds(); ++seed) {
      const std::string label = absl::StrCat("NORB, ", network.label, ", seed ", seed);
      const TunedNetwork tuned{label, label, OnNorb(network.job(seed)), network.layers};
      KWTA_RETURN_IF_ERROR(MeasureTunedNetwork(bench, tuned, {kAsTrained}, parts, seed, i, report));
    }
  }
  return absl::OkStatus();
}

}  // namespace kwta
