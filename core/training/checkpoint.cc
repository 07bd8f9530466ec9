#include "core/training/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr char kFile[] = "checkpoint.safetensors";
constexpr char kFormat[] = "kwta checkpoint 2";
// Format of layers and stacks alone, without the numbers of fine-tuning and of the divergence check.
constexpr char kFormat1[] = "kwta checkpoint 1";
// With format 1, fine-tuning had a separate file, which is no longer read.
constexpr char kFormerFile[] = "fine_tuning.safetensors";
// The run's own tensors share a map with the trainee's, so the trainee's names get a prefix.
constexpr char kTraineePrefix[] = "learner.";
constexpr char kEpochUnits[] = "epoch.unit_was_active";
constexpr char kLastEpochUnits[] = "last_epoch.unit_was_active";

using Metadata = std::map<std::string, std::string>;

std::string CheckpointPath(const std::string& directory) { return absl::StrCat(directory, "/", kFile); }

// 17 digits restore a binary64 exactly.
std::string ExactText(double value) { return absl::StrFormat("%.17g", value); }

Tensor ToTensor(const std::vector<uint8_t>& bytes) {
  Tensor tensor(DType::kU8, {static_cast<int64_t>(bytes.size())});
  std::copy(bytes.begin(), bytes.end(), tensor.as<uint8_t>());
  return tensor;
}

bool TakeBytes(TensorMap& tensors, const char* name, std::vector<uint8_t>* bytes) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.dtype() != DType::kU8) return false;
  const uint8_t* data = found->second.as<uint8_t>();
  bytes->assign(data, data + found->second.elements());
  tensors.erase(found);
  return true;
}

template <typename T, typename Parse>
bool ParseField(const Metadata& metadata, const char* name, Parse parse, T* value) {
  const auto found = metadata.find(name);
  return found != metadata.end() && parse(found->second, value);
}

absl::Status Incomplete(const std::string& path) {
  return absl::DataLossError(absl::StrCat("the checkpoint ", path, " lacks numbers or has others than it should"));
}

absl::StatusOr<TrainingCheckpoint> Decode(const std::string& path, SafetensorsFile file) {
  const auto integer = [](const std::string& text, auto* value) { return absl::SimpleAtoi(text, value); };
  const auto real = [](const std::string& text, double* value) { return absl::SimpleAtod(text, value); };
  const bool first_format = file.metadata["format"] == kFormat1;
  TrainingCheckpoint checkpoint;
  TrainingState& state = checkpoint.state;
  const bool complete =
      ParseField(file.metadata, "epochs_done", integer, &state.epochs_done) &&
      ParseField(file.metadata, "batches_done", integer, &state.batches_done) &&
      ParseField(file.metadata, "epoch.squared_error", real, &state.epoch.loss) &&
      ParseField(file.metadata, "last_epoch.squared_error", real, &state.last_epoch.loss) &&
      ParseField(file.metadata, "train_seconds", real, &state.train_seconds) &&
      TakeBytes(file.tensors, kEpochUnits, &state.epoch.unit_was_active) &&
      TakeBytes(file.tensors, kLastEpochUnits, &state.last_epoch.unit_was_active) &&
      (first_format || (ParseField(file.metadata, "epoch.wrong", integer, &state.epoch.wrong) &&
                        ParseField(file.metadata, "last_epoch.wrong", integer, &state.last_epoch.wrong) &&
                        ParseField(file.metadata, "first_loss", real, &state.first_loss) &&
                        ParseField(file.metadata, "least_loss", real, &state.least_loss)));
  if (!complete) return Incomplete(path);
  const std::string prefix = kTraineePrefix;
  for (auto& [name, tensor] : file.tensors) {
    if (name.compare(0, prefix.size(), prefix) != 0) return Incomplete(path);
    checkpoint.trainee[name.substr(prefix.size())] = std::move(tensor);
  }
  return checkpoint;
}

}  // namespace

int64_t EpochTotals::DeadUnits() const { return std::count(unit_was_active.begin(), unit_was_active.end(), 0); }

absl::Status SaveCheckpoint(const std::string& directory, const std::string& fingerprint,
                            TrainingCheckpoint checkpoint) {
  const TrainingState& state = checkpoint.state;
  const Metadata metadata = {
      {"format", kFormat},
      {"fingerprint", fingerprint},
      {"epochs_done", absl::StrCat(state.epochs_done)},
      {"batches_done", absl::StrCat(state.batches_done)},
      {"epoch.squared_error", ExactText(state.epoch.loss)},
      {"last_epoch.squared_error", ExactText(state.last_epoch.loss)},
      {"epoch.wrong", absl::StrCat(state.epoch.wrong)},
      {"last_epoch.wrong", absl::StrCat(state.last_epoch.wrong)},
      {"first_loss", ExactText(state.first_loss)},
      {"least_loss", ExactText(state.least_loss)},
      {"train_seconds", ExactText(state.train_seconds)},
  };
  TensorMap tensors;
  for (auto& named : checkpoint.trainee) tensors[kTraineePrefix + named.first] = std::move(named.second);
  tensors[kEpochUnits] = ToTensor(state.epoch.unit_was_active);
  tensors[kLastEpochUnits] = ToTensor(state.last_epoch.unit_was_active);
  return WriteSafetensors(CheckpointPath(directory), tensors, metadata);
}

absl::StatusOr<TrainingCheckpoint> LoadCheckpoint(const std::string& directory, const std::string& fingerprint) {
  const std::string path = CheckpointPath(directory);
  absl::StatusOr<SafetensorsFile> file = ReadSafetensors(path);
  const std::string former = absl::StrCat(directory, "/", kFormerFile);
  if (absl::IsNotFound(file.status()) && std::filesystem::exists(former)) {
    return absl::FailedPreconditionError(absl::StrCat("the checkpoint ", former, " is of an older version"));
  }
  KWTA_RETURN_IF_ERROR(file.status());
  const std::string format = file->metadata["format"];
  if (format != kFormat && format != kFormat1) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint ", path, " has the format \"", format, "\"; expected \"", kFormat, "\""));
  }
  if (file->metadata["fingerprint"] != fingerprint) {
    return absl::FailedPreconditionError(absl::StrCat("the checkpoint ", path, " is of another spec or other data"));
  }
  return Decode(path, *std::move(file));
}

}  // namespace kwta
