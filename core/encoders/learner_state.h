// What learners share: their arrays on the way to checkpoints and back.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/encoders/encoder.h"

namespace kwta {

// Stream of the seed that draws the weights; the trainer's epochs count theirs from 0.
constexpr uint64_t kWeightStream = ~uint64_t{0};

// What is in `buffer` as a tensor of `shape`.
absl::StatusOr<Tensor> Download(Backend& backend, const Shape& shape, const Buffer& buffer, DType dtype = DType::kF32);

// The tensor `name` of a checkpoint. Errors: DATA_LOSS if there is none, or if it is of another type or shape.
absl::StatusOr<const Tensor*> FindState(const TensorMap& state, const std::string& name, DType dtype,
                                        const Shape& shape);

// Copies the tensor `name` of a checkpoint to `buffer`, which has its size. Errors: as FindState.
absl::Status Upload(Backend& backend, const TensorMap& state, const std::string& name, const Shape& shape,
                    Buffer* buffer, DType dtype = DType::kF32);

}  // namespace kwta
