#include "server/placement/placed_encoder.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

// Changes of one encoder's path stay far below this.
constexpr uint64_t kChangesOfAMove = uint64_t{1} << 32;

}  // namespace

PlacedEncoder::PlacedEncoder(std::shared_ptr<const Encoder> on_processor, std::shared_ptr<ServingDevice> device,
                             std::string reason)
    : on_processor_(std::move(on_processor)), device_(std::move(device)), reason_(std::move(reason)) {}

PlacedEncoder::~PlacedEncoder() {
  absl::MutexLock lock(&mutex_);
  device_->Release(reserved_);
}

void PlacedEncoder::MoveToDevice(std::shared_ptr<const Encoder> on_device, int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  on_device_ = std::move(on_device);
  reserved_ = bytes;
  reason_.clear();
  ++moves_;
}

void PlacedEncoder::MoveToProcessor(std::string reason) {
  std::shared_ptr<const Encoder> left;  // freed without the lock
  absl::MutexLock lock(&mutex_);
  left.swap(on_device_);
  device_->Release(std::exchange(reserved_, 0));
  reason_ = std::move(reason);
  ++moves_;
}

std::shared_ptr<const Encoder> PlacedEncoder::OnDevice() const {
  if (!device_->works()) return nullptr;
  absl::MutexLock lock(&mutex_);
  return on_device_;
}

bool PlacedEncoder::IsOnDevice(const Encoder& encoder) {
  const auto* const placed = dynamic_cast<const PlacedEncoder*>(&encoder);
  return placed != nullptr && placed->OnDevice() != nullptr;
}

EncodingPath PlacedEncoder::path() const {
  const std::shared_ptr<const Encoder> on_device = OnDevice();
  return on_device == nullptr ? on_processor_->path() : on_device->path();
}

Placement PlacedEncoder::placement() const {
  absl::MutexLock lock(&mutex_);
  if (on_device_ == nullptr) return {"", reason_};
  if (const absl::Status failure = device_->failure(); !failure.ok()) {
    return {"", absl::StrCat("the device has failed: ", failure.message())};
  }
  return {device_->name(), absl::StrCat("its codes are the processor's; it takes ", reserved_, " bytes there")};
}

uint64_t PlacedEncoder::path_changes() const {
  const std::shared_ptr<const Encoder> on_device = OnDevice();
  const uint64_t moves = moves_ + (device_->works() ? 0 : 1);
  return moves * kChangesOfAMove + (on_device == nullptr ? *on_processor_ : *on_device).path_changes();
}

absl::Status PlacedEncoder::Compute(const std::function<absl::Status(const Encoder&)>& encode) const {
  const std::shared_ptr<const Encoder> on_device = OnDevice();
  if (on_device != nullptr) {
    const std::optional<absl::Status> status = device_->Compute([&] { return encode(*on_device); });
    if (status.has_value()) return *status;
  } else if (!device_->works()) {
    absl::MutexLock lock(&mutex_);
    if (on_device_ != nullptr) device_->FellBack();
  }
  return encode(*on_processor_);
}

absl::Status PlacedEncoder::Encode(const RowsView& x, int64_t k, Codes* codes) const {
  return Compute([&](const Encoder& encoder) { return encoder.Encode(x, k, codes); });
}

absl::Status PlacedEncoder::Activities(const RowsView& x, int64_t k, SparseCodes* activities) const {
  return Compute([&](const Encoder& encoder) { return encoder.Activities(x, k, activities); });
}

absl::Status PlacedEncoder::EncodeDense(const RowsView& x, int64_t k, float* out) const {
  return Compute([&](const Encoder& encoder) { return encoder.EncodeDense(x, k, out); });
}

}  // namespace kwta::server
