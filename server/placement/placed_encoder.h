// An encoder that a device computes as long as it can, and the processor otherwise, with the same codes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/encoders/encoder.h"
#include "server/placement/serving_device.h"

namespace kwta::server {

// Codes, and the activities that reconstructions are made of, come from the device. The processor decodes them: sums of
// reconstructions have its order, and so the bits that they have without a device. ReconstructAsTrained, of single rows
// now and then, is the processor's alone, so that it never keeps a batch waiting on the device. Thread-safe.
class PlacedEncoder final : public Encoder {
 public:
  // On the processor at first, because of `reason`.
  PlacedEncoder(std::shared_ptr<const Encoder> on_processor, std::shared_ptr<ServingDevice> device, std::string reason);
  // Gives its memory back.
  ~PlacedEncoder() override;

  // Moves to the device, with `bytes` that were reserved there and that this now owns.
  void MoveToDevice(std::shared_ptr<const Encoder> on_device, int64_t bytes);
  // Moves back and gives the reserved memory back; batches on the device end there.
  void MoveToProcessor(std::string reason);
  // Whether a device computes the codes of `encoder` now.
  static bool IsOnDevice(const Encoder& encoder);

  int64_t input_width() const override { return on_processor_->input_width(); }
  int64_t code_width() const override { return on_processor_->code_width(); }
  int64_t reconstruction_width() const override { return on_processor_->reconstruction_width(); }
  int64_t parameter_bytes() const override { return on_processor_->parameter_bytes(); }
  bool dense_codes() const override { return on_processor_->dense_codes(); }
  bool takes_k() const override { return on_processor_->takes_k(); }
  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override {
    return on_processor_->ResolveK(options);
  }

  EncodingPath path() const override;
  Placement placement() const override;
  uint64_t path_changes() const override;

  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override;
  absl::Status EncodeDense(const RowsView& x, int64_t k, float* out) const override;
  absl::Status Activities(const RowsView& x, int64_t k, SparseCodes* activities) const override;
  int64_t row_activities(int64_t k) const override { return on_processor_->row_activities(k); }
  absl::Status DecodeActivities(const SparseCodes& activities, float* out) const override {
    return on_processor_->DecodeActivities(activities, out);
  }
  absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const override {
    return on_processor_->ReconstructAsTrained(x);
  }
  absl::Status Decode(const SparseCodes& codes, float* out) const override { return on_processor_->Decode(codes, out); }

 private:
  // Null if it is not there, or the device has failed.
  std::shared_ptr<const Encoder> OnDevice() const;
  absl::Status Compute(const std::function<absl::Status(const Encoder&)>& encode) const;

  const std::shared_ptr<const Encoder> on_processor_;
  const std::shared_ptr<ServingDevice> device_;
  std::atomic<uint64_t> moves_{0};
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Encoder> on_device_ ABSL_GUARDED_BY(mutex_);
  int64_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string reason_ ABSL_GUARDED_BY(mutex_);  // why it is on the processor
};

}  // namespace kwta::server
