// The parameters of a learner, with their gradients and the state of the optimiser that changes them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/encoders/learner_state.h"

namespace kwta {

// Not thread-safe. Parameters are numbered in the order in which they were added.
class ParameterSet {
 public:
  // REQUIRES: optimiser is not OPTIMISER_UNSPECIFIED.
  ParameterSet(v1::Optimiser optimiser, std::shared_ptr<Backend> backend)
      : optimiser_(optimiser), backend_(std::move(backend)) {}

  // A parameter of `shape`, f32, with the given elements, and its number.
  absl::StatusOr<int> Add(const std::string& name, const Shape& shape, const std::vector<float>& elements);

  // In the backend's memory.
  const float* value(int i) const { return parameters_[i].value.as<float>(); }
  float* gradient(int i) { return parameters_[i].gradient.as<float>(); }

  // One step of the optimiser along all gradients: TrainingSpec.optimiser says which.
  absl::Status Update(const StepOptions& options);

  // The parameters by name.
  absl::StatusOr<TensorMap> Values() const;
  // The same with the optimiser's state: "velocity.<name>", or "adam.first.<name>", "adam.second.<name>" and
  // "adam.steps".
  absl::StatusOr<TensorMap> State() const;
  // Takes up what State gave. Errors: DATA_LOSS if a tensor is missing or of another type or shape; some parameters may
  // have been taken up then.
  absl::Status Restore(const TensorMap& state);

 private:
  // A buffer of the optimiser and what is put before the parameter's name in a checkpoint.
  struct StateBuffer {
    const char* prefix;
    Buffer buffer;
  };
  struct Parameter {
    std::string name;
    Shape shape;
    Buffer value, gradient;
    std::vector<StateBuffer> state;

    int64_t size() const { return ElementCount(shape); }
  };

  const v1::Optimiser optimiser_;
  const std::shared_ptr<Backend> backend_;
  std::vector<Parameter> parameters_;
  int64_t steps_ = 0;  // updates done, which Adam counts
};

}  // namespace kwta
