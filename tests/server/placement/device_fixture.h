// A device that fails when it is told to, as servers see one.
#pragma once

#include <memory>

#include "core/backends/backend.h"
#include "core/io/model_bundle.h"
#include "core/tensors/codes.h"
#include "core/tensors/tensor.h"
#include "server/placement/serving_device.h"
#include "tests/core/backends/cuda/faulty_device.h"

namespace kwta::server {

// The CUDA backend on an emulated device of `memory_bytes`.
struct TestDevice {
  explicit TestDevice(size_t memory_bytes = size_t{1} << 30);

  std::shared_ptr<Backend> backend;
  cuda::FaultyDevice* device = nullptr;  // the backend's
};

// A k-sparse model of 40 units and rows of 12, with numbers drawn from `seed`: 2,128 bytes of parameters.
ModelBundle SmallModel(const std::string& name, uint64_t seed = 1);
inline constexpr int64_t kSmallModelBytes = 4 * (40 * 12 + 40 + 12);
// What the placer reserves for it.
inline constexpr int64_t kSmallModelReserved = kSmallModelBytes + kSmallModelBytes / 2;

// `rows` random rows of 12.
Tensor SmallRows(int64_t rows, uint64_t seed = 7);

// The codes of `rows` on the reference backend.
Codes ReferenceCodes(const ModelBundle& model, const Tensor& rows);
// Expects the same bits.
void ExpectSameCodes(const Codes& actual, const Codes& expected);

}  // namespace kwta::server
