#include "tests/client/made_up_rows.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/client/fake_server.h"

namespace kwta::client {

Options QuickOptions(const std::string& address) {
  Options options;
  options.address = address;
  options.retry.initial_backoff = absl::Milliseconds(2);
  options.retry.max_backoff = absl::Milliseconds(10);
  return options;
}

Tensor MadeUpRows(int64_t rows, int64_t width) {
  Tensor tensor(DType::kU8, {rows, width});
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < width; ++i) {
      tensor.as<unsigned char>()[row * width + i] = static_cast<unsigned char>((row + 7 * i) % 251);
    }
  }
  return tensor;
}

void ExpectMadeUpCodes(const EncodeResult& result, int64_t first_row, int64_t rows, int k) {
  ASSERT_EQ(result.rows(), rows);
  std::vector<float> dense(rows * FakeServer::kUnits);
  if (std::holds_alternative<Tensor>(result.codes)) {
    ASSERT_EQ(result.dense().shape(), (Shape{rows, FakeServer::kUnits}));
    dense.assign(result.dense().as<float>(), result.dense().as<float>() + dense.size());
  } else {
    ASSERT_EQ(result.sparse().units, FakeServer::kUnits);
    result.sparse().ToDense(dense.data());
  }
  for (int64_t row = 0; row < rows; ++row) {
    const auto first = static_cast<int>((first_row + row) % 251);
    for (int unit = 0; unit < FakeServer::kUnits; ++unit) {
      const bool active = (unit - first % FakeServer::kUnits + FakeServer::kUnits) % FakeServer::kUnits < k;
      const float expected = active ? static_cast<float>(first) + static_cast<float>(unit) / 100 : 0;
      ASSERT_EQ(dense[row * FakeServer::kUnits + unit], expected) << "row " << row << " unit " << unit;
    }
  }
}

}  // namespace kwta::client
