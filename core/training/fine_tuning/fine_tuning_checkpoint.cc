#include "core/training/fine_tuning/fine_tuning_checkpoint.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/files/sha256.h"

namespace kwta {
namespace {

constexpr char kTuningFile[] = "/fine_tuning.safetensors";
constexpr char kTuningFormat[] = "kwta fine-tuning 2";

}  // namespace

std::string FineTuningFingerprint(const ModelBundle& model, const Dataset& data, const FineTuningOptions& options) {
  Sha256 hash;
  for (const auto& [name, tensor] : model.tensors) {
    hash.Add(absl::StrCat(name, ShapeString(tensor.shape())));
    hash.Add(absl::string_view(static_cast<const char*>(tensor.data()), tensor.bytes()));
  }
  hash.Add(model.description.encoder().SerializeAsString());
  hash.Add(model.description.preprocessing().SerializeAsString());
  for (int64_t i = 0; i < data.rows(); ++i) {
    const RowsView row = data.row(i);
    hash.Add(absl::string_view(static_cast<const char*>(row.data), row.row_bytes()));
    hash.Add(absl::StrCat(" ", data.label(i), " "));
  }
  const LinearProbeOptions& probe = options.probe;
  return absl::StrFormat(
      "%s %d %d %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %d %d probe %d %d %d %d %d %.17g %.17g %.17g %d",
      absl::BytesToHexString(hash.Finish()), options.epochs, options.batch_size, options.learning_rate,
      options.classifier_rate, options.momentum, options.encoder_l2, options.classifier_l2, options.input_dropout,
      options.code_dropout, options.adversarial_length, options.max_shift, options.seed, static_cast<int>(probe.loss),
      static_cast<int>(probe.scaling), probe.epochs, probe.schedule_epochs, probe.batch_size, probe.dropout,
      probe.learning_rate, probe.l2, probe.seed);
}

absl::Status SaveFineTuningCheckpoint(const std::string& directory, const std::string& fingerprint,
                                      const FineTuningCheckpoint& checkpoint) {
  return WriteSafetensors(directory + kTuningFile, checkpoint.network,
                          {{"format", kTuningFormat},
                           {"fingerprint", fingerprint},
                           {"step", absl::StrCat(checkpoint.place.step)},
                           {"epochs_done", absl::StrCat(checkpoint.place.epochs_done)},
                           {"batches_done", absl::StrCat(checkpoint.place.batches_done)},
                           {"loss", absl::StrFormat("%.17g", checkpoint.place.loss)},
                           {"wrong", absl::StrCat(checkpoint.place.wrong)},
                           {"seconds", absl::StrFormat("%.17g", checkpoint.place.seconds)}});
}

absl::StatusOr<std::optional<FineTuningCheckpoint>> LoadFineTuningCheckpoint(const std::string& directory,
                                                                             const std::string& fingerprint) {
  absl::StatusOr<SafetensorsFile> file = ReadSafetensors(directory + kTuningFile);
  if (absl::IsNotFound(file.status()) || absl::IsDataLoss(file.status())) return std::nullopt;
  KWTA_RETURN_IF_ERROR(file.status());
  FineTuningCheckpoint checkpoint;
  if (file->metadata["format"] != kTuningFormat || file->metadata["fingerprint"] != fingerprint ||
      !absl::SimpleAtoi(file->metadata["step"], &checkpoint.place.step) ||
      !absl::SimpleAtoi(file->metadata["epochs_done"], &checkpoint.place.epochs_done) ||
      !absl::SimpleAtoi(file->metadata["batches_done"], &checkpoint.place.batches_done) ||
      !absl::SimpleAtod(file->metadata["loss"], &checkpoint.place.loss) ||
      !absl::SimpleAtoi(file->metadata["wrong"], &checkpoint.place.wrong) ||
      !absl::SimpleAtod(file->metadata["seconds"], &checkpoint.place.seconds) || checkpoint.place.step < 0 ||
      checkpoint.place.epochs_done < 0 || checkpoint.place.batches_done < 0) {
    return std::nullopt;
  }
  checkpoint.network = std::move(file->tensors);
  return checkpoint;
}

}  // namespace kwta
