#include "bench/work/inputs.h"

#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/npy.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta::bench {
namespace {

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

}  // namespace kwta::bench
