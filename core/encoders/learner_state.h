// Copies learners' arrays to checkpoints and back.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/encoders/encoder.h"

namespace kwta {

// The seed's stream for weights. The trainer's epochs use the streams from 0.
constexpr uint64_t kWeightStream = ~uint64_t{0};

// Returns the contents of `buffer` as a tensor of `shape`.
absl::StatusOr<Tensor> Download(Backend& backend, const Shape& shape, const Buffer& buffer, DType dtype = DType::kF32);

// Finds the tensor `name` of a checkpoint. Errors: DATA_LOSS if it is missing or has another type or shape.
absl::StatusOr<const Tensor*> FindState(const TensorMap& state, const std::string& name, DType dtype,
                                        const Shape& shape);

// Copies the tensor `name` of a checkpoint to `buffer`, which has the same size. Errors: as FindState.
absl::Status Upload(Backend& backend, const TensorMap& state, const std::string& name, const Shape& shape,
                    Buffer* buffer, DType dtype = DType::kF32);

}  // namespace kwta
