// Decides for each model whether the device or the processor computes it.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/encoders/encoder.h"
#include "core/io/model_bundle.h"
#include "server/placement/device_models.h"
#include "server/placement/placed_encoder.h"
#include "server/placement/serving_device.h"

namespace kwta::server {

// A model stays on the processor if DeviceModels do not name it; if its codes have other bits on the device, as a
// comparison shows when it is loaded; or if its memory, for which once and a half the bytes of its parameters are
// reserved, exceeds what the budget has left. Older versions of a model leave the device if a newer one needs their
// memory. Other models stay where they are. Thread-safe.
class ModelPlacer {
 public:
  // `device` is null if no device computes: all models are then on the processor, without a detour.
  ModelPlacer(std::shared_ptr<Backend> processor, std::shared_ptr<ServingDevice> device, DeviceModels models)
      : processor_(std::move(processor)), device_(std::move(device)), models_(std::move(models)) {}

  // Makes the encoder of a bundle and places it. Errors: those of CreateEncoder; RESOURCE_EXHAUSTED if the device's
  // memory does not suffice and the device's when_full() is kRefuse.
  absl::StatusOr<std::shared_ptr<const Encoder>> Create(const ModelBundle& bundle);

 private:
  struct Placed {
    std::string model;
    std::weak_ptr<PlacedEncoder> encoder;
  };

  // Puts the encoder on the device. Errors: RESOURCE_EXHAUSTED, and why else it stays on the processor.
  absl::Status Place(const ModelBundle& bundle, const Encoder& on_processor, PlacedEncoder* placed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What a failed device says. REQUIRES: it has failed.
  absl::Status Failure() const;
  absl::Status Reserve(const std::string& model, int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<Backend> processor_;
  const std::shared_ptr<ServingDevice> device_;
  const DeviceModels models_;
  absl::Mutex mutex_;                                 // Held while a model is placed.
  std::list<Placed> placed_ ABSL_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace kwta::server
