#include "core/encoders/encoder.h"

#include <gtest/gtest.h>

#include <numeric>
#include <utility>
#include <vector>

namespace kwta::encoder_test {
namespace {

// The code of a row is k times its only element, and decodes to that.
class CountingEncoder : public Encoder {
 public:
  int64_t input_width() const override { return 1; }
  int64_t code_width() const override { return int64_t{1} << 22; }
  int64_t parameter_bytes() const override { return 0; }
  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override { return options.k; }
  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override {
    batches.push_back(x.rows);
    SparseCodes made;
    made.units = code_width();
    for (int64_t i = 0; i < x.rows; ++i) {
      made.values.insert(made.values.end(), k, reinterpret_cast<const float*>(x.row(i))[0]);
      made.indices.resize(made.values.size());
      std::iota(made.indices.end() - k, made.indices.end(), 0);
      made.row_offsets.push_back(static_cast<int64_t>(made.values.size()));
    }
    *codes = std::move(made);
    return absl::OkStatus();
  }
  absl::Status Decode(const SparseCodes& codes, float* out) const override {
    for (int64_t i = 0; i < codes.rows(); ++i) out[i] = codes.values[codes.row_offsets[i]];
    return absl::OkStatus();
  }

  mutable std::vector<int64_t> batches;  // of each call of Encode
};

TEST(Encoder, ReconstructsInPartsOfBoundedActivities) {
  const CountingEncoder encoder;
  const std::vector<float> x = {1, 2, 3, 4, 5};
  const RowsView rows{DType::kF32, x.data(), 5, 1};
  for (const auto& [k, parts] : {std::pair<int64_t, std::vector<int64_t>>{10, {5}},
                                 {int64_t{1} << 20, {2, 2, 1}},
                                 {int64_t{3} << 20, {1, 1, 1, 1, 1}}}) {
    std::vector<float> out(5);
    encoder.batches.clear();
    ASSERT_EQ(encoder.Reconstruct(rows, k, out.data()), absl::OkStatus());
    EXPECT_EQ(encoder.batches, parts) << k;
    EXPECT_EQ(out, x);
  }
}

}  // namespace
}  // namespace kwta::encoder_test
