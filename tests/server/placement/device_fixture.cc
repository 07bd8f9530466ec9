#include "tests/server/placement/device_fixture.h"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>
#include <vector>

#include "core/backends/backend_registry.h"
#include "core/backends/cuda/cuda_backend.h"
#include "core/base/rng.h"
#include "core/encoders/encoder_registry.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::server {

TestDevice::TestDevice(size_t memory_bytes) {
  cuda::EmulationOptions options;
  options.memory_bytes = memory_bytes;
  auto faulty = std::make_unique<cuda::FaultyDevice>(options);
  device = faulty.get();
  backend = std::make_shared<cuda::CudaBackend>("faulty", std::move(faulty), cuda::Filter::kBf16);
}

ModelBundle SmallModel(const std::string& name, uint64_t seed) {
  ModelBundle model = RandomKSparseModel(40, 12, 3, /*subtract_mean=*/false, seed);
  model.description.set_name(name);
  return model;
}

Tensor SmallRows(int64_t rows, uint64_t seed) {
  Rng rng(seed);
  return GaussianTensor({rows, 12}, 1, rng);
}

Codes ReferenceCodes(const ModelBundle& model, const Tensor& rows) {
  Codes codes;
  const auto backend = CreateBackend("reference", {1});
  const auto encoder = CreateEncoder(model, *backend);
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  if (!encoder.ok()) return codes;
  EXPECT_EQ((*encoder)->Encode(rows.rows(), *(*encoder)->ResolveK({}), &codes), absl::OkStatus());
  return codes;
}

void ExpectSameCodes(const Codes& actual, const Codes& expected) {
  SparseCodes actual_scratch, expected_scratch;
  const SparseCodes& a = AsSparse(actual, &actual_scratch);
  const SparseCodes& e = AsSparse(expected, &expected_scratch);
  ASSERT_GT(e.entries(), 0);
  EXPECT_EQ(a.row_offsets, e.row_offsets);
  ASSERT_EQ(a.indices, e.indices);
  EXPECT_EQ(std::memcmp(a.values.data(), e.values.data(), e.values.size() * sizeof(float)), 0);
}

}  // namespace kwta::server
