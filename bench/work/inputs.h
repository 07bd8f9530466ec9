// The rows that benchmarks compute on.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/work/workload.h"
#include "core/tensors/tensor.h"

namespace kwta::bench {

// Writes the training images of the first data set there is of mnist and fashion-mnist (looked for in `directories`,
// then in the system's folder) to DIR/images.npy, u8 [rows, 784], in a random order; and of cifar10, if it is there, to
// DIR/cifar10.npy, u8 [rows, 3072]. Returns the names of those written.
absl::StatusOr<std::vector<std::string>> WriteInputs(const std::vector<std::string>& directories,
                                                     const std::string& output);

// DIR/NAME.npy as rows of f32 (bytes divided by 255), or as stored.
// Errors: NOT_FOUND saying that the input is missing.
absl::StatusOr<Tensor> LoadFloats(const WorkOptions& options, const std::string& name);
absl::StatusOr<Tensor> LoadStored(const WorkOptions& options, const std::string& name);

}  // namespace kwta::bench
