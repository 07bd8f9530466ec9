// Learners of small k-sparse models, and their numbers.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/backends/backend_registry.h"
#include "core/encoders/k_sparse.h"

namespace kwta {

inline std::shared_ptr<Backend> ReferenceBackend() { return CreateBackend("reference", {1}).value(); }

inline std::unique_ptr<Learner> MakeLearner(const v1::KSparseSpec& spec, int64_t width, uint64_t seed = 1,
                                            std::shared_ptr<Backend> backend = ReferenceBackend()) {
  return CreateKSparseLearner(spec, width, seed, std::move(backend)).value();
}

inline std::vector<float> Floats(const Tensor& tensor) {
  return std::vector<float>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
}

// All of a TensorMap's numbers, for comparison bit by bit.
inline std::map<std::string, std::vector<float>> Numbers(const TensorMap& tensors) {
  std::map<std::string, std::vector<float>> numbers;
  for (const auto& [name, tensor] : tensors) numbers[name] = Floats(tensor);
  return numbers;
}

}  // namespace kwta
