// One problem for each operation of a backend that the check does not look at more closely.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"

namespace kwta::cuda {

// What an operation computed.
struct Outcome {
  std::string operation;
  std::vector<float> numbers;
  double tolerance = 0;  // of each number, relative to 1 + its magnitude; 0: the same bits
};

// Runs each operation on random numbers: the same ones on every backend, in the same order. Errors: the first one.
absl::StatusOr<std::vector<Outcome>> RunOperations(Backend& backend);

}  // namespace kwta::cuda
