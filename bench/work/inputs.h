// The rows that the benchmarks work on.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/work/workload.h"
#include "core/tensors/tensor.h"

namespace kwta::bench {

// Writes the training images of mnist, or else of fashion-mnist, to DIR/images.npy, u8 [rows, 784], in a random order.
// Searches `directories`, then the system's folder. If cifar10 is there, also writes DIR/cifar10.npy, u8 [rows, 3072].
// Returns the names of the data sets written.
absl::StatusOr<std::vector<std::string>> WriteInputs(const std::vector<std::string>& directories,
                                                     const std::string& output);

// Loads DIR/NAME.npy as rows of f32 (bytes divided by 255), or as stored.
// Errors: NOT_FOUND saying that the input is missing.
absl::StatusOr<Tensor> LoadFloats(const WorkOptions& options, const std::string& name);
absl::StatusOr<Tensor> LoadStored(const WorkOptions& options, const std::string& name);

}  // namespace kwta::bench
