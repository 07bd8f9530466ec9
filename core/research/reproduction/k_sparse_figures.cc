// "k-Sparse Autoencoders", figures 1, 3 and 4; and section 3 in numbers: how far the encoder's single step is from
// sparse coding with the learnt dictionary.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/activation_statistics.h"
#include "core/io/arrays/find_tensor.h"
#include "core/preprocessing/preprocessor.h"
#include "core/research/reproduction/compared_jobs.h"
#include "core/research/reproduction/k_sparse_jobs.h"
#include "core/research/reproduction/pictures.h"
#include "core/research/reproduction/recipes.h"
#include "core/research/sparse_coding/coherence.h"
#include "core/research/sparse_coding/iterative_thresholding.h"
#include "core/research/sparse_coding/orthogonal_matching_pursuit.h"

namespace kwta {
namespace {

constexpr uint32_t kFilterKs[] = {70, 40, 25, 10};  // figure 1
constexpr uint32_t kHistogramKs[] = {70, 15};       // figure 4
constexpr int kBins = 60;
constexpr int64_t kHistogramRows = 1000;
constexpr int64_t kCodedRows = 50;
constexpr uint32_t kCodedK = 25;

// log10 of the number of activities in each non-empty bin.
Series Histogram(const std::string& name, const Tensor& codes) {
  const float* values = codes.as<float>();
  const auto [least, most] = std::minmax_element(values, values + codes.elements());
  const double low = *least, width = std::max(1e-9, (double{*most} - low) / kBins);
  std::vector<double> counts(kBins);
  for (int64_t e = 0; e < codes.elements(); ++e) {
    ++counts[std::min<int64_t>(kBins - 1, static_cast<int64_t>((values[e] - low) / width))];
  }
  Series series{name, {}, {}};
  for (int bin = 0; bin < kBins; ++bin) {
    if (counts[bin] == 0) continue;
    series.x.push_back(low + (bin + 0.5) * width);
    series.y.push_back(counts[bin]);
  }
  return series;
}

// Measures, for each coder, the fraction of the variance of some test rows that codes of k = 25 leave unexplained.
absl::Status CompareCoders(Workbench& bench, const ModelBundle& model, const Dataset& test, Report* report) {
  const nlohmann::json key = {{"coders", ModelJson(model)}, {"rows", kCodedRows}, {"k", kCodedK}};
  KWTA_ASSIGN_OR_RETURN(
      const nlohmann::json result,
      bench.Once("sparse coding with the learnt dictionary", key, [&]() -> absl::StatusOr<nlohmann::json> {
        const v1::ModelDescription& description = model.description;
        const int64_t width = description.input_width(), units = description.code_width();
        KWTA_ASSIGN_OR_RETURN(const float* values, FindFloats(model.tensors, "atoms", {units, width}));
        KWTA_ASSIGN_OR_RETURN(const float* offset, FindFloats(model.tensors, "decoder_bias", {width}));
        KWTA_ASSIGN_OR_RETURN(const Preprocessor preprocessor,
                              Preprocessor::Load(description.preprocessing(), width, model.tensors));
        KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<const Encoder> encoder, CreateEncoder(model, bench.backend()));
        // ITI assumes atoms of unit length.
        std::vector<float> scaled(values, values + units * width);
        for (int64_t h = 0; h < units; ++h) {
          const double length = std::sqrt(Dot(values + h * width, values + h * width, width));
          for (int64_t d = 0; d < width && length > 0; ++d) scaled[h * width + d] /= static_cast<float>(length);
        }
        const Atoms atoms{scaled.data(), units, width};
        double total = 0, thresholding = 0, pursuit = 0;
        int64_t settled = 0;
        const int64_t rows = std::min(kCodedRows, test.rows());
        UnexplainedVariance by_encoder(width);
        std::vector<float> x(width), seen(width), decoded(width);
        for (int64_t i = 0; i < rows; ++i) {
          KWTA_RETURN_IF_ERROR(bench.Advance(static_cast<double>(i) / static_cast<double>(rows)));
          KWTA_RETURN_IF_ERROR(preprocessor.Apply(test.row(i), x.data()));
          KWTA_RETURN_IF_ERROR(preprocessor.ApplySteps(test.row(i), seen.data()));
          KWTA_RETURN_IF_ERROR(encoder->Reconstruct(test.row(i), kCodedK, decoded.data()));
          by_encoder.Add(seen.data(), decoded.data(), 1);
          for (int64_t d = 0; d < width; ++d) x[d] -= offset[d];
          IterativeThresholdingOptions options;
          options.k = kCodedK;
          KWTA_ASSIGN_OR_RETURN(const SparseSolution iterated, IterativeThresholding(atoms, x.data(), options));
          MatchingPursuitOptions greedy;
          greedy.k = kCodedK;
          KWTA_ASSIGN_OR_RETURN(const SparseSolution pursued, OrthogonalMatchingPursuit(atoms, x.data(), greedy));
          total += Dot(x.data(), x.data(), width);
          thresholding += iterated.squared_residual;
          settled += iterated.converged;
          pursuit += pursued.squared_residual;
        }
        const double coherence = MutualCoherence(atoms, bench.pool());
        return nlohmann::json{{"encoder", by_encoder.Fraction()},
                              {"thresholding", thresholding / total},
                              {"pursuit", pursuit / total},
                              {"settled", settled},
                              {"rows", rows},
                              {"coherence", coherence}};
      }));
  ReportTable table{absl::StrCat("Sparse coding with the dictionary of k = ", kCodedK, " (section 3)"),
                    "fraction of variance unexplained by codes of 25 activities",
                    {}};
  table.rows.push_back({"The encoder: one step, values as they are", std::nullopt, {result["encoder"]}, {result}, ""});
  table.rows.push_back(
      {"ITI, equations (2) and (3)",
       std::nullopt,
       {result["thresholding"]},
       nullptr,
       absl::StrCat(result["settled"].get<int>(), " of ", result["rows"].get<int>(), " rows settled")});
  table.rows.push_back({"Orthogonal matching pursuit", std::nullopt, {result["pursuit"]}, nullptr, ""});
  report->tables.push_back(std::move(table));
  const double coherence = result["coherence"];
  report->notes.push_back(
      absl::StrFormat("Mutual coherence of that dictionary (equation (8)): %.3f. Theorem 3.1 promises the support from "
                      "one step for k up "
                      "to %.2f with equal activities; what the encoder reaches beyond that is not owed to the theorem.",
                      coherence, 0.5 / std::max(coherence, 1e-9)));
  return absl::OkStatus();
}

// Figure 3: 1000 units, k = 50, on whitened patches of natural images.
absl::Status PatchFilters(Workbench& bench, Report* report) {
  const bool quick = bench.quick();
  v1::JobSpec job;
  v1::KSparseSpec& encoder = *job.mutable_encoder()->mutable_k_sparse();
  encoder.set_units(quick ? 200 : 1000);
  encoder.set_k(quick ? 20 : 50);
  encoder.set_k_start(quick ? 40 : 100);
  v1::RandomPatchesStep& patches = *job.mutable_preprocessing()->add_steps()->mutable_random_patches();
  patches.set_size(8);
  patches.set_patches(quick ? 10'000 : 1'000'000);
  job.mutable_preprocessing()->add_steps()->mutable_global_contrast();
  job.mutable_preprocessing()->add_steps()->mutable_whiten();
  v1::TrainingSpec& training = *job.mutable_training();
  training.set_epochs(quick ? 3 : 20);
  training.set_learning_rate(0.001f);
  training.set_final_learning_rate(0);
  *job.mutable_dataset() = Part("cifar10", v1::DATASET_SPLIT_TRAIN, quick ? 2000 : 0);
  const absl::Status found = bench.Load(job.dataset()).status();
  if (quick && absl::IsNotFound(found)) {
    report->notes.push_back("CIFAR-10 was not there: no filters of patches (figure 3).");
    return absl::OkStatus();
  }
  KWTA_RETURN_IF_ERROR(found);
  KWTA_ASSIGN_OR_RETURN(const ModelBundle model, bench.Train("patches of CIFAR-10", job));
  KWTA_ASSIGN_OR_RETURN(ReportPicture picture, AtomsPicture(model));
  picture.title = "Filters of whitened patches of CIFAR-10 (k-sparse, figure 3)";
  report->pictures.push_back(std::move(picture));
  return absl::OkStatus();
}

}  // namespace

absl::Status KSparseFigures(Workbench& bench, Report* report) {
  KSparseScale scale = KSparseScaleOf(bench);
  if (bench.quick()) {
    scale.training_rows = 4000;
    scale.epochs = 5;
  }
  KWTA_ASSIGN_OR_RETURN(const std::string digits, bench.Digits());
  KWTA_ASSIGN_OR_RETURN(const Dataset test, bench.Load(Part(digits, v1::DATASET_SPLIT_TEST, kHistogramRows)));
  for (const uint32_t k : kFilterKs) {
    KWTA_ASSIGN_OR_RETURN(const ModelBundle model,
                          bench.Train(absl::StrCat("k = ", k, ", seed 1"), KSparseJob(scale, digits, k, 1)));
    KWTA_ASSIGN_OR_RETURN(ReportPicture picture, AtomsPicture(model));
    picture.title = absl::StrCat("Filters, k = ", k, " (k-sparse, figure 1)");
    report->pictures.push_back(std::move(picture));
    if (k == kCodedK) KWTA_RETURN_IF_ERROR(CompareCoders(bench, model, test, report));
  }
  std::vector<Series> histograms;
  for (const uint32_t k : kHistogramKs) {
    KWTA_ASSIGN_OR_RETURN(const ModelBundle model,
                          bench.Train(absl::StrCat("k = ", k, ", seed 1"), KSparseJob(scale, digits, k, 1)));
    EncodeOptions options;
    options.k = k;
    KWTA_ASSIGN_OR_RETURN(const Tensor codes, bench.Codes(model, test, options));
    histograms.push_back(Histogram(absl::StrCat("k = ", k), codes));
    if (k != kHistogramKs[0]) continue;
    options.k = model.description.code_width();
    KWTA_ASSIGN_OR_RETURN(const Tensor all, bench.Codes(model, test, options));
    histograms.push_back(Histogram("the same, nothing set to zero", all));
  }
  for (const ComparedRow& row : ComparedRows()) {
    KWTA_ASSIGN_OR_RETURN(const ModelBundle model,
                          bench.Train(absl::StrCat(row.name, ", seed 1"), ComparedJob(scale, digits, row.method, 1)));
    KWTA_ASSIGN_OR_RETURN(const Tensor codes, bench.Codes(model, test, {}));
    histograms.push_back(Histogram(row.name, codes));
  }
  report->pictures.push_back(LineChart(
      "Histogram of activities (k-sparse, figure 4)",
      absl::StrCat("Of all units over ", test.rows(), " test images; zeros are counted, empty bins left out."),
      {"activity"}, {"activities in a bin", true}, histograms));
  return PatchFilters(bench, report);
}

}  // namespace kwta
