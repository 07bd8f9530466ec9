#include "server/placement/model_placer.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"

namespace kwta::server {
namespace {

// Rows whose codes are compared before a model is placed.
constexpr int64_t kComparedRows = 32;

// The parameters, and copies of them in bfloat16 that find candidates.
int64_t DeviceBytes(const Encoder& encoder) { return encoder.parameter_bytes() + encoder.parameter_bytes() / 2; }

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Compares the codes of a few rows. Errors: those of Encode; INTERNAL if they differ.
absl::Status CompareCodes(const Encoder& on_processor, const Encoder& on_device) {
  const int64_t width = on_processor.input_width();
  std::vector<float> rows(static_cast<size_t>(kComparedRows * width));
  Rng rng(1);
  for (float& value : rows) value = static_cast<float>(rng.Uniform());
  const RowsView view = {DType::kF32, rows.data(), kComparedRows, width};
  KWTA_ASSIGN_OR_RETURN(const int64_t k, on_processor.ResolveK({}));
  SparseCodes expected, actual;
  KWTA_RETURN_IF_ERROR(on_processor.EncodeSparse(view, k, &expected));
  KWTA_RETURN_IF_ERROR(on_device.EncodeSparse(view, k, &actual));
  const bool same = expected.row_offsets == actual.row_offsets && expected.indices == actual.indices &&
                    SameBits(expected.values, actual.values);
  return same ? absl::OkStatus() : absl::InternalError("its codes there differ from the processor's");
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Encoder>> ModelPlacer::Create(const ModelBundle& bundle) {
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> on_processor, CreateEncoder(bundle, processor_));
  if (device_ == nullptr) return on_processor;
  auto placed = std::make_shared<PlacedEncoder>(on_processor, device_, "--device-models does not name it");
  if (!models_.Include(bundle.description.name())) return placed;
  absl::MutexLock lock(&mutex_);
  absl::Status status = Place(bundle, *on_processor, placed.get());
  if (!status.ok() && !device_->CheckFailure().ok()) status = Failure();  // which explains whatever went wrong
  if (status.ok()) {
    placed_.push_back({bundle.description.name(), placed});
    return placed;
  }
  if (absl::IsResourceExhausted(status) && device_->works() && device_->when_full() == WhenDeviceIsFull::kRefuse) {
    return absl::ResourceExhaustedError(absl::StrCat("model '", bundle.description.name(), "': ", status.message(),
                                                     "; --device-full refuses what does not fit"));
  }
  placed->MoveToProcessor(std::string(status.message()));
  return placed;
}

absl::Status ModelPlacer::Failure() const {
  return absl::UnavailableError(absl::StrCat("the device has failed: ", device_->failure().message()));
}

absl::Status ModelPlacer::Place(const ModelBundle& bundle, const Encoder& on_processor, PlacedEncoder* placed) {
  if (!device_->CheckFailure().ok()) return Failure();
  const int64_t bytes = DeviceBytes(on_processor);
  KWTA_RETURN_IF_ERROR(Reserve(bundle.description.name(), bytes));
  absl::Cleanup release = [&] { device_->Release(bytes); };
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> on_device, CreateEncoder(bundle, device_->backend()));
  KWTA_RETURN_IF_ERROR(CompareCodes(on_processor, *on_device));
  std::move(release).Cancel();
  placed->MoveToDevice(std::move(on_device), bytes);
  return absl::OkStatus();
}

absl::Status ModelPlacer::Reserve(const std::string& model, int64_t bytes) {
  if (bytes > device_->memory_bytes()) {
    return absl::ResourceExhaustedError(absl::StrCat("it would take ", bytes,
                                                     " bytes of the device's memory, of which ",
                                                     device_->memory_bytes(), " are for models (--device-memory)"));
  }
  for (auto it = placed_.begin(); it != placed_.end();) {
    const std::shared_ptr<PlacedEncoder> older = it->encoder.lock();
    const bool in_the_way =
        older != nullptr && it->model == model && device_->reserved() + bytes > device_->memory_bytes();
    if (in_the_way) older->MoveToProcessor("a newer version took its place on the device");
    it = in_the_way || older == nullptr ? placed_.erase(it) : std::next(it);
  }
  if (device_->Reserve(bytes)) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("it would take ", bytes, " bytes of the device's memory; ",
                                                   device_->reserved(), " of the ", device_->memory_bytes(),
                                                   " for models are taken (--device-memory)"));
}

}  // namespace kwta::server
