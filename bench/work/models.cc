#include "bench/work/models.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/arrays/npy.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessor.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"

namespace kwta::bench {
namespace {

constexpr int64_t kTrainingRows = 40'000;
constexpr int64_t kTrainingEpochs = 2;
constexpr int64_t kTrainingBatch = 100;
// Convolutions cost more, and a few images tell as much about their filters.
constexpr int64_t kConvolutionTrainingRows = 1'000;
constexpr uint32_t kTrainedK = 32;
constexpr float kTrainingRate = 0.01f;
constexpr float kMeasuredRate = 0.001f;  // of training that is timed, not of models to encode with

std::string DataName(const WorkSpec& spec) { return spec.Text("data", "images"); }
bool IsConvolution(const WorkSpec& spec) { return !spec.Text("maps", "").empty(); }

// An encoder of the right size with weights that nobody trained.
absl::StatusOr<ModelBundle> RandomKSparse(const WorkSpec& spec, int64_t width) {
  ModelBundle bundle;
  v1::ModelDescription& description = bundle.description;
  KWTA_ASSIGN_OR_RETURN(*description.mutable_encoder(), EncoderOf(spec));
  const int64_t units = description.encoder().k_sparse().units();
  description.set_input_width(static_cast<uint32_t>(width));
  description.set_code_width(static_cast<uint32_t>(units));
  KWTA_RETURN_IF_ERROR(ResolvePreprocessing(description.mutable_preprocessing()));
  Rng rng(3);
  Tensor atoms(DType::kF32, {units, width});
  for (int64_t i = 0; i < atoms.elements(); ++i) {
    atoms.as<float>()[i] = static_cast<float>(0.05 * (rng.Uniform() - 0.5));
  }
  bundle.tensors["atoms"] = std::move(atoms);
  bundle.tensors["bias"] = Tensor(DType::kF32, {units});
  bundle.tensors["decoder_bias"] = Tensor(DType::kF32, {width});
  return bundle;
}

absl::StatusOr<ModelBundle> TrainModel(const WorkSpec& spec, const WorkOptions& options,
                                       std::shared_ptr<Backend> backend) {
  KWTA_ASSIGN_OR_RETURN(v1::JobSpec job, JobOf(spec, kTrainingEpochs, kTrainingBatch,
                                               IsConvolution(spec) ? kConvolutionTrainingRows : kTrainingRows));
  if (job.encoder().has_k_sparse()) {
    job.mutable_encoder()->mutable_k_sparse()->set_k(kTrainedK);
    job.mutable_encoder()->mutable_k_sparse()->clear_k_start();
    // Atoms that are never active would stay short, and so be ruled out with ease.
    job.mutable_encoder()->mutable_k_sparse()->set_unit_norm_atoms(true);
    job.mutable_training()->set_learning_rate(kTrainingRate);
    job.mutable_training()->set_final_learning_rate(kTrainingRate);
    KWTA_RETURN_IF_ERROR(ResolveJobSpec(&job));
  }
  DatasetOptions dataset_options;
  dataset_options.directories = {options.inputs};
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, LoadDataset(job.dataset(), dataset_options));
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, RunJob(job, std::nullopt, dataset, std::move(backend), {}));
  bundle.description.set_name(job.model());
  return bundle;
}

}  // namespace

absl::StatusOr<v1::EncoderSpec> EncoderOf(const WorkSpec& spec) {
  v1::EncoderSpec encoder;
  if (IsConvolution(spec)) {
    KWTA_ASSIGN_OR_RETURN(const int64_t maps, spec.Number("maps"));
    const bool colour = DataName(spec) == "colour";
    encoder.mutable_winner_take_all()->set_maps(static_cast<uint32_t>(maps));
    v1::ImageShape* input = encoder.mutable_winner_take_all()->mutable_input();
    input->set_channels(colour ? 3 : 1);
    input->set_height(colour ? 32 : 28);
    input->set_width(colour ? 32 : 28);
  } else {
    KWTA_ASSIGN_OR_RETURN(const int64_t units, spec.Number("units"));
    KWTA_ASSIGN_OR_RETURN(const int64_t k, spec.Number("k"));
    encoder.mutable_k_sparse()->set_units(static_cast<uint32_t>(units));
    encoder.mutable_k_sparse()->set_k(static_cast<uint32_t>(k));
  }
  KWTA_RETURN_IF_ERROR(ResolveEncoder(&encoder));
  return encoder;
}

absl::StatusOr<v1::JobSpec> JobOf(const WorkSpec& spec, int64_t epochs, int64_t batch, int64_t max_rows) {
  v1::JobSpec job;
  job.set_model(ModelName(spec));
  KWTA_ASSIGN_OR_RETURN(*job.mutable_encoder(), EncoderOf(spec));
  job.mutable_dataset()->set_path(absl::StrCat(DataName(spec), ".npy"));
  job.mutable_dataset()->set_max_rows(static_cast<uint64_t>(max_rows));
  job.mutable_training()->set_epochs(static_cast<uint32_t>(epochs));
  job.mutable_training()->set_batch_size(static_cast<uint32_t>(batch));
  job.mutable_training()->set_checkpoint_epochs(0);
  // What is measured is not to change with the defaults.
  job.mutable_training()->set_learning_rate(kMeasuredRate);
  job.mutable_training()->set_final_learning_rate(IsConvolution(spec) ? 0 : kMeasuredRate);
  job.mutable_preprocessing()->set_subtract_mean(false);
  KWTA_RETURN_IF_ERROR(ResolveJobSpec(&job));
  return job;
}

std::string ModelName(const WorkSpec& spec) {
  return IsConvolution(spec) ? absl::StrCat(DataName(spec), "-maps-", spec.Text("maps", ""))
                             : absl::StrCat(DataName(spec), "-", spec.Text("units", ""));
}

absl::StatusOr<ModelBundle> ModelOf(const WorkSpec& spec, const WorkOptions& options, int64_t width,
                                    std::shared_ptr<Backend> backend) {
  if (spec.Text("weights", "trained") == "random") return RandomKSparse(spec, width);
  const std::string directory = absl::StrCat(options.inputs, "/", ModelName(spec), ".bundle");
  absl::StatusOr<ModelBundle> known = ReadModelBundle(directory);
  if (!absl::IsNotFound(known.status())) return known;
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, TrainModel(spec, options, std::move(backend)));
  KWTA_RETURN_IF_ERROR(WriteTensors(options, ModelName(spec), bundle.tensors));
  KWTA_RETURN_IF_ERROR(WriteModelBundle(directory, bundle));
  return bundle;
}

absl::Status WriteTensors(const WorkOptions& options, const std::string& name, const TensorMap& tensors) {
  const std::string directory = absl::StrCat(options.inputs, "/", name);
  std::filesystem::create_directories(directory);
  for (const auto& [tensor_name, tensor] : tensors) {
    KWTA_RETURN_IF_ERROR(
        WriteNpy(absl::StrCat(directory, "/", tensor_name, ".npy"), {tensor.dtype(), tensor.shape(), tensor.data()}));
  }
  return absl::OkStatus();
}

}  // namespace kwta::bench
