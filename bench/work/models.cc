#include "bench/work/models.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/arrays/npy.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessor.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"
#include "google/protobuf/text_format.h"

namespace kwta::bench {
namespace {

constexpr int64_t kTrainingRows = 40'000;
constexpr int64_t kTrainingImages = 1'000;  // for encoders whose codes have places
constexpr int64_t kTrainingEpochs = 2;
constexpr int64_t kTrainingBatch = 100;
constexpr char kTrainedK[] = "32";
// For gradient descent with momentum: the second if the first diverges, as it does on Fashion-MNIST.
constexpr float kTrainingRates[] = {0.01f, 0.001f};
constexpr float kMeasuredRate = 0.001f;  // for timed training, not for models to encode with

std::string DataName(const WorkSpec& spec) { return spec.Text("data", "images"); }

// The word of an option, such as "units" for --units.
std::string Word(const SpecOption& option) { return std::string(option.flag).substr(2); }

absl::StatusOr<const EncoderKind*> KindOf(const WorkSpec& spec) {
  const std::string name = spec.Text("encoder", "");
  std::vector<std::string> words;
  for (const EncoderKind* kind : EncoderKinds()) {
    if (kind->of_layers) continue;
    words.push_back(Word(kind->options.front()));
    if (name.empty() ? !spec.Text(words.back(), "").empty() : name == kind->name) return kind;
  }
  return absl::InvalidArgumentError(absl::StrCat("'", spec.kind(), "' describes no encoder; expected one of ",
                                                 absl::StrJoin(words, "=N, "), "=N, or encoder= one of ",
                                                 absl::StrJoin(EncoderKindNames(), ", ")));
}

// Returns the shape of a row of the data; empty if unknown.
Shape ImageOf(const WorkSpec& spec) {
  if (DataName(spec) == "images") return {1, 28, 28};
  if (DataName(spec) == "colour") return {3, 32, 32};
  return {};
}

// An encoder of the right size with untrained weights.
absl::StatusOr<ModelBundle> RandomModel(const WorkSpec& spec, int64_t width, std::shared_ptr<Backend> backend) {
  ModelBundle bundle;
  v1::ModelDescription& description = bundle.description;
  v1::EncoderSpec& encoder = *description.mutable_encoder();
  KWTA_ASSIGN_OR_RETURN(encoder, EncoderOf(spec));
  KWTA_RETURN_IF_ERROR(ResolvePreprocessing(description.mutable_preprocessing()));
  v1::TrainingSpec training;
  KWTA_RETURN_IF_ERROR(ResolveOptimiser(encoder, &training));
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<Learner> learner,
                        CreateLearner(encoder, {width}, training, std::move(backend)));
  description.set_input_width(static_cast<uint32_t>(width));
  description.set_code_width(static_cast<uint32_t>(learner->code_width()));
  KWTA_ASSIGN_OR_RETURN(bundle.tensors, learner->Parameters());
  Rng rng(3);
  for (auto& [name, tensor] : bundle.tensors) {
    const bool weights = tensor.shape().size() > 1;
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      tensor.as<float>()[i] = weights ? static_cast<float>(0.05 * (rng.Uniform() - 0.5)) : 0;
    }
  }
  return bundle;
}

absl::StatusOr<ModelBundle> TrainModel(const WorkSpec& spec, const WorkOptions& options,
                                       const std::shared_ptr<Backend>& backend) {
  KWTA_ASSIGN_OR_RETURN(const v1::EncoderSpec encoder, EncoderOf(spec));
  // Otherwise atoms that are never active would stay short, and filters would rule them out with ease.
  KWTA_ASSIGN_OR_RETURN(v1::JobSpec job, JobOf(spec.With("k", kTrainedK).With("unit-norm", "true"), kTrainingEpochs,
                                               kTrainingBatch, HasPlaces(encoder) ? kTrainingImages : kTrainingRows));
  DatasetOptions dataset_options;
  dataset_options.directories = {options.inputs};
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, LoadDataset(job.dataset(), dataset_options));
  const bool descends = job.training().optimiser() == v1::OPTIMISER_SGD;
  absl::StatusOr<ModelBundle> trained = absl::FailedPreconditionError("not trained");
  for (const float rate : kTrainingRates) {
    if (descends) {
      job.mutable_training()->set_learning_rate(rate);
      job.mutable_training()->set_final_learning_rate(rate);
      KWTA_RETURN_IF_ERROR(ResolveJobSpec(&job));
    }
    trained = RunJob(job, std::nullopt, dataset, backend, {});
    // A run that diverges fails with this.
    if (!descends || !absl::IsFailedPrecondition(trained.status())) break;
  }
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, std::move(trained));
  bundle.description.set_name(job.model());
  return bundle;
}

}  // namespace

absl::StatusOr<v1::EncoderSpec> EncoderOf(const WorkSpec& spec) {
  KWTA_ASSIGN_OR_RETURN(const EncoderKind* kind, KindOf(spec));
  v1::EncoderSpec encoder;
  google::protobuf::Message* fields = MutableKindSpec(*kind, &encoder);
  for (const SpecOption& option : kind->options) {
    const std::string text = spec.Text(Word(option), "");
    const auto* field = fields->GetDescriptor()->FindFieldByName(option.field);
    if (text.empty() || google::protobuf::TextFormat::ParseFieldValueFromString(text, field, fields)) continue;
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no value of ", Word(option)));
  }
  KWTA_RETURN_IF_ERROR(ResolveEncoder(&encoder));
  if (const Shape image = ImageOf(spec); !image.empty()) KWTA_RETURN_IF_ERROR(FitEncoder(&encoder, image));
  return encoder;
}

bool HasPlaces(const v1::EncoderSpec& encoder) {
  v1::ModelDescription description;
  *description.mutable_encoder() = encoder;
  return CodeShape(description).size() > 1;
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
  // The measurement must not change with the defaults.
  job.mutable_training()->set_learning_rate(kMeasuredRate);
  job.mutable_training()->set_final_learning_rate(HasPlaces(job.encoder()) ? 0 : kMeasuredRate);
  job.mutable_preprocessing()->set_subtract_mean(false);
  KWTA_RETURN_IF_ERROR(ResolveJobSpec(&job));
  return job;
}

std::string ModelName(const WorkSpec& spec) {
  const absl::StatusOr<const EncoderKind*> kind = KindOf(spec);
  if (!kind.ok()) return DataName(spec);
  const std::string word = Word((*kind)->options.front());
  return absl::StrCat(DataName(spec), "-", *kind == EncoderKinds().front() ? "" : word + "-", spec.Text(word, ""));
}

absl::StatusOr<ModelBundle> ModelOf(const WorkSpec& spec, const WorkOptions& options, int64_t width,
                                    std::shared_ptr<Backend> backend) {
  if (spec.Text("weights", "trained") == "random") return RandomModel(spec, width, std::move(backend));
  const std::string directory = absl::StrCat(options.inputs, "/", ModelName(spec), ".bundle");
  absl::StatusOr<ModelBundle> known = ReadModelBundle(directory);
  if (!absl::IsNotFound(known.status())) return known;
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, TrainModel(spec, options, backend));
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
