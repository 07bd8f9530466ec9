// The parameters of a learner, their gradients, and their optimiser's state.
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

// Not thread-safe. Numbers parameters in the order of Add.
class ParameterSet {
 public:
  // REQUIRES: optimiser is not OPTIMISER_UNSPECIFIED.
  ParameterSet(v1::Optimiser optimiser, std::shared_ptr<Backend> backend)
      : optimiser_(optimiser), backend_(std::move(backend)) {}

  // What SGD's updates keep the rows of a matrix to; see MomentumUpdateArgs.
  struct RowLength {
    bool unit = false;
    float max = 0;
  };

  // Adds an f32 parameter of `shape` with the given elements, and returns its number. REQUIRES: a parameter with a row
  // length is a matrix, and the optimiser is SGD.
  absl::StatusOr<int> Add(const std::string& name, const Shape& shape, const std::vector<float>& elements,
                          const RowLength& row_length = {false, 0});

  // Pointers into the backend's memory.
  const float* value(int i) const { return parameters_[i].value.as<float>(); }
  float* gradient(int i) { return parameters_[i].gradient.as<float>(); }

  // Returns the length of all gradients together. Waits for the backend.
  absl::StatusOr<double> GradientNorm() const;

  // Takes one step of the optimiser (TrainingSpec.optimiser) along all gradients.
  absl::Status Update(const StepOptions& options);

  // Returns the parameters by name.
  absl::StatusOr<TensorMap> Values() const;
  // Returns the parameters and the optimiser's state: "velocity.<name>", or "adam.first.<name>", "adam.second.<name>"
  // and "adam.steps".
  absl::StatusOr<TensorMap> State() const;
  // Restores what State returned. Errors: DATA_LOSS if a tensor is missing or of another type or shape; some parameters
  // may have changed by then.
  absl::Status Restore(const TensorMap& state);

 private:
  // An optimiser's buffer, and its prefix to the parameter's name in a checkpoint.
  struct StateBuffer {
    const char* prefix;
    Buffer buffer;
  };
  struct Parameter {
    std::string name;
    Shape shape;
    Buffer value, gradient;
    std::vector<StateBuffer> state;
    RowLength row_length;

    int64_t size() const { return ElementCount(shape); }
  };

  const v1::Optimiser optimiser_;
  const std::shared_ptr<Backend> backend_;
  std::vector<Parameter> parameters_;
  int64_t steps_ = 0;  // number of updates, for Adam
};

}  // namespace kwta
