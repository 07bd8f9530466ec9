#include "bench/work/inputs.h"

#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/io/dataset.h"
#include "core/io/npy.h"
#include "core/preprocessing/preprocessor.h"
#include "core/training/trainer.h"

namespace kwta::bench {
namespace {

constexpr int64_t kTrainingRows = 20'000;
constexpr uint32_t kTrainingEpochs = 2;
constexpr uint32_t kTrainedK = 32;

std::string NpyPath(const std::string& directory, const std::string& name) {
  return absl::StrCat(directory, "/", name, ".npy");
}

absl::Status WriteShuffled(const Dataset& data, const std::string& path) {
  Rng rng(1);
  const std::vector<uint32_t> order = RandomPermutation(static_cast<uint64_t>(data.rows()), rng);
  std::vector<uint8_t> bytes(static_cast<size_t>(data.rows() * data.width()));
  data.Gather(order.data(), data.rows(), bytes.data());
  return WriteNpy(path, {DType::kU8, {data.rows(), data.width()}, bytes.data()});
}

absl::StatusOr<Dataset> LoadTrainingImages(const std::string& name, const std::vector<std::string>& directories) {
  v1::DatasetRef ref;
  ref.set_name(name);
  DatasetOptions options;
  options.directories = directories;
  return LoadDataset(ref, options);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> WriteInputs(const std::vector<std::string>& directories,
                                                     const std::string& output) {
  std::filesystem::create_directories(output);
  std::vector<std::string> written;
  absl::StatusOr<Dataset> images = LoadTrainingImages("mnist", directories);
  written.push_back("mnist");
  if (absl::IsNotFound(images.status())) {
    images = LoadTrainingImages("fashion-mnist", directories);
    written.back() = "fashion-mnist";
  }
  KWTA_RETURN_IF_ERROR(images.status());
  KWTA_RETURN_IF_ERROR(WriteShuffled(*images, NpyPath(output, "images")));
  const absl::StatusOr<Dataset> colour = LoadTrainingImages("cifar10", directories);
  if (absl::IsNotFound(colour.status())) return written;
  KWTA_RETURN_IF_ERROR(colour.status());
  KWTA_RETURN_IF_ERROR(WriteShuffled(*colour, NpyPath(output, "cifar10")));
  written.push_back("cifar10");
  return written;
}

absl::StatusOr<Tensor> LoadStored(const WorkOptions& options, const std::string& name) {
  KWTA_ASSIGN_OR_RETURN(const NpyFile file, ReadNpy(NpyPath(options.inputs, name)));
  if (file.array.shape.size() != 2 || file.array.shape[0] < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("input '", name, "' is ", ShapeString(file.array.shape), "; expected [rows, width]"));
  }
  Tensor stored(file.array.dtype, file.array.shape);
  std::memcpy(stored.data(), file.array.data, stored.bytes());
  return stored;
}

absl::StatusOr<Tensor> LoadFloats(const WorkOptions& options, const std::string& name) {
  KWTA_ASSIGN_OR_RETURN(const Tensor stored, LoadStored(options, name));
  Tensor floats(DType::kF32, stored.shape());
  v1::PreprocessingSpec spec;
  KWTA_RETURN_IF_ERROR(ResolvePreprocessing(&spec));
  Preprocessor(spec, {}).ToFloat(stored.rows(), floats.as<float>());
  return floats;
}

absl::Status WriteTensors(const WorkOptions& options, const std::string& name, const TensorMap& tensors) {
  const std::string directory = absl::StrCat(options.inputs, "/", name);
  std::filesystem::create_directories(directory);
  for (const auto& [tensor_name, tensor] : tensors) {
    KWTA_RETURN_IF_ERROR(WriteNpy(NpyPath(directory, tensor_name), {tensor.dtype(), tensor.shape(), tensor.data()}));
  }
  return absl::OkStatus();
}

absl::StatusOr<ModelBundle> TrainedModel(const WorkOptions& options, const std::string& name, const std::string& data,
                                         const v1::EncoderSpec& spec, std::shared_ptr<Backend> backend) {
  const std::string bundle_directory = absl::StrCat(options.inputs, "/", name, ".bundle");
  absl::StatusOr<ModelBundle> known = ReadModelBundle(bundle_directory);
  if (!absl::IsNotFound(known.status())) return known;

  v1::JobSpec job;
  job.set_model(name);
  *job.mutable_encoder() = spec;
  job.mutable_dataset()->set_path(absl::StrCat(data, ".npy"));
  job.mutable_dataset()->set_max_rows(kTrainingRows);
  job.mutable_training()->set_epochs(kTrainingEpochs);
  job.mutable_training()->set_checkpoint_epochs(0);
  KWTA_RETURN_IF_ERROR(ResolveJobSpec(&job));
  DatasetOptions dataset_options;
  dataset_options.directories = {options.inputs};
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, LoadDataset(job.dataset(), dataset_options));
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, Train(job, dataset, std::move(backend), TrainerOptions()));
  bundle.description.set_name(name);
  KWTA_RETURN_IF_ERROR(WriteTensors(options, name, bundle.tensors));
  KWTA_RETURN_IF_ERROR(WriteModelBundle(bundle_directory, bundle));
  return bundle;
}

absl::StatusOr<ModelBundle> TrainedKSparse(const WorkOptions& options, const std::string& data, int64_t units,
                                           std::shared_ptr<Backend> backend) {
  v1::EncoderSpec spec;
  spec.mutable_k_sparse()->set_units(static_cast<uint32_t>(units));
  spec.mutable_k_sparse()->set_k(kTrainedK);
  return TrainedModel(options, absl::StrCat(data, "-", units), data, spec, std::move(backend));
}

Shape RowShape(const std::string& data, int64_t width) {
  if (data == "images") return {28, 28};
  if (data == "colour") return {3, 32, 32};
  return {width};
}

}  // namespace kwta::bench
