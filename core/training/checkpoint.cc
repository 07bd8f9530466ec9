#include "core/training/checkpoint.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr char kFile[] = "checkpoint.safetensors";
constexpr char kFormat[] = "kwta checkpoint 1";
// The run's own tensors stand beside the learner's, whose names therefore get a prefix.
constexpr char kLearnerPrefix[] = "learner.";
constexpr char kEpochUnits[] = "epoch.unit_was_active";
constexpr char kLastEpochUnits[] = "last_epoch.unit_was_active";

using Metadata = std::map<std::string, std::string>;

std::string CheckpointPath(const std::string& directory) { return absl::StrCat(directory, "/", kFile); }

// 17 digits bring a binary64 back exactly.
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

std::optional<TrainingCheckpoint> Decode(SafetensorsFile file) {
  const auto integer = [](const std::string& text, auto* value) { return absl::SimpleAtoi(text, value); };
  const auto real = [](const std::string& text, double* value) { return absl::SimpleAtod(text, value); };
  TrainingCheckpoint checkpoint;
  TrainingState& state = checkpoint.state;
  const bool complete = ParseField(file.metadata, "epochs_done", integer, &state.epochs_done) &&
                        ParseField(file.metadata, "batches_done", integer, &state.batches_done) &&
                        ParseField(file.metadata, "epoch.squared_error", real, &state.epoch.squared_error) &&
                        ParseField(file.metadata, "last_epoch.squared_error", real, &state.last_epoch.squared_error) &&
                        ParseField(file.metadata, "train_seconds", real, &state.train_seconds) &&
                        TakeBytes(file.tensors, kEpochUnits, &state.epoch.unit_was_active) &&
                        TakeBytes(file.tensors, kLastEpochUnits, &state.last_epoch.unit_was_active);
  if (!complete) return std::nullopt;
  const std::string prefix = kLearnerPrefix;
  for (auto& [name, tensor] : file.tensors) {
    if (name.compare(0, prefix.size(), prefix) != 0) return std::nullopt;
    checkpoint.learner[name.substr(prefix.size())] = std::move(tensor);
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
      {"epoch.squared_error", ExactText(state.epoch.squared_error)},
      {"last_epoch.squared_error", ExactText(state.last_epoch.squared_error)},
      {"train_seconds", ExactText(state.train_seconds)},
  };
  TensorMap tensors;
  for (auto& named : checkpoint.learner) tensors[kLearnerPrefix + named.first] = std::move(named.second);
  tensors[kEpochUnits] = ToTensor(state.epoch.unit_was_active);
  tensors[kLastEpochUnits] = ToTensor(state.last_epoch.unit_was_active);
  return WriteSafetensors(CheckpointPath(directory), tensors, metadata);
}

absl::StatusOr<std::optional<TrainingCheckpoint>> LoadCheckpoint(const std::string& directory,
                                                                 const std::string& fingerprint) {
  absl::StatusOr<SafetensorsFile> file = ReadSafetensors(CheckpointPath(directory));
  if (absl::IsNotFound(file.status()) || absl::IsDataLoss(file.status())) return std::nullopt;
  KWTA_RETURN_IF_ERROR(file.status());
  if (file->metadata["format"] != kFormat || file->metadata["fingerprint"] != fingerprint) return std::nullopt;
  return Decode(*std::move(file));
}

}  // namespace kwta
