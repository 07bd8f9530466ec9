#include "core/backends/onednn/support/sparse_products.h"

#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::onednn::support::sparse_products_test {
namespace {

using Matrix = std::vector<float>;

// A share of the elements is zero, of either sign.
Matrix RandomMatrix(int64_t elements, double zeros, uint64_t seed) {
  Rng rng(seed);
  Matrix matrix(elements);
  for (float& each : matrix) {
    each = rng.Uniform() <= zeros ? (rng.UniformBelow(2) ? 0.0f : -0.0f) : static_cast<float>(rng.Gaussian());
  }
  return matrix;
}

// The lists of a matrix [rows, columns].
class Lists {
 public:
  Lists(const SparseKernels& kernels, const Matrix& matrix, int64_t rows, int64_t columns,
        const float* offset = nullptr) {
    lists.rows = rows;
    lists.stride = SparseRows::StrideFor(columns);
    indices_.resize(rows * lists.stride);
    values_.resize(rows * lists.stride);
    counts_.resize(rows);
    lists.indices = indices_.data();
    lists.values = values_.data();
    lists.counts = counts_.data();
    for (int64_t i = 0; i < rows; ++i) {
      counts_[i] =
          static_cast<int32_t>(kernels.compress(matrix.data() + i * columns, offset, columns,
                                                indices_.data() + i * lists.stride, values_.data() + i * lists.stride));
    }
  }

  SparseRows lists;

 private:
  std::vector<int32_t> indices_, counts_;
  Matrix values_;
};

class SparseProductsTest : public testing::TestWithParam<std::tuple<simd::InstructionSet, int>> {
 protected:
  Context context_{std::get<1>(GetParam()), std::get<0>(GetParam()), Filter::kFloats};
  const SparseKernels& kernels_ = SparseKernelsFor(context_.instruction_set);
};

void ExpectNear(const Matrix& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_NEAR(actual[i], expected[i], 1e-4 * (1 + std::abs(expected[i]))) << i;
  }
}

struct Extents {
  int64_t rows, inner, n;
};
constexpr Extents kExtents[] = {{1, 1, 1}, {3, 17, 5}, {70, 100, 113}, {100, 300, 784}, {33, 1000, 130}};

TEST_P(SparseProductsTest, CompressKeepsWhatIsNotZero) {
  for (const int64_t n : {1, 15, 16, 17, 100}) {
    Matrix x = RandomMatrix(n, 0.6, n), offset(n, 0.0f);
    x[n / 2] = std::numeric_limits<float>::quiet_NaN();
    if (n > 1) x[0] = -(offset[0] = 0.25f);
    const Lists lists(kernels_, x, 1, n, offset.data());
    int32_t at = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (x[i] + offset[i] == 0) continue;
      ASSERT_LT(at, lists.lists.counts[0]);
      EXPECT_EQ(lists.lists.indices[at], i);
      if (i != n / 2) {
        EXPECT_EQ(lists.lists.values[at], x[i] + offset[i]);
      }
      ++at;
    }
    EXPECT_EQ(at, lists.lists.counts[0]);
  }
}

TEST_P(SparseProductsTest, TransposesWithAndWithoutAdding) {
  for (const Extents& size : kExtents) {
    const int64_t rows = size.rows, columns = size.n, stride = columns + 3;
    const Matrix in = RandomMatrix(rows * stride, 0, 1);
    Matrix out(columns * rows, 9.0f), added(columns * rows, 2.0f);
    kernels_.transpose(in.data(), stride, rows, columns, out.data(), rows);
    kernels_.add_transposed(in.data(), stride, rows, columns, added.data(), rows);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        ASSERT_EQ(out[c * rows + r], in[r * stride + c]);
        ASSERT_EQ(added[c * rows + r], 2.0f + in[r * stride + c]);
      }
    }
  }
}

TEST_P(SparseProductsTest, TimesDense) {
  for (const Extents& size : kExtents) {
    for (const double zeros : {0.3, 0.9, 1.0}) {
      const Matrix a = RandomMatrix(size.rows * size.inner, zeros, 2), b = RandomMatrix(size.inner * size.n, 0, 3);
      const Matrix start = RandomMatrix(size.rows * size.n, 0, 4), scales = RandomMatrix(size.rows, 0, 5);
      const Lists lists(kernels_, a, size.rows, size.inner);
      Matrix out(size.rows * size.n, 9.0f);
      SparseTimesDenseArgs args;
      args.a = lists.lists;
      args.b = b.data();
      args.inner = size.inner;
      args.n = size.n;
      args.start = start.data();
      args.start_stride = size.n;
      args.start_scales = scales.data();
      args.out = out.data();
      SparseTimesDense(context_, args);
      args.add = true;
      SparseTimesDense(context_, args);
      std::vector<double> expected(out.size());
      for (int64_t i = 0; i < size.rows; ++i) {
        for (int64_t d = 0; d < size.n; ++d) {
          double sum = 0;
          for (int64_t k = 0; k < size.inner; ++k) sum += double{a[i * size.inner + k]} * b[k * size.n + d];
          expected[i * size.n + d] = double{scales[i]} * start[i * size.n + d] + 2 * sum;
        }
      }
      ExpectNear(out, expected);
    }
  }
}

TEST_P(SparseProductsTest, TimesTransposed) {
  for (const Extents& size : kExtents) {
    const Matrix a = RandomMatrix(size.rows * size.inner, 0.8, 2), b = RandomMatrix(size.n * size.inner, 0, 3);
    const Matrix start = RandomMatrix(size.n, 0, 4), offset = RandomMatrix(size.inner, 0.5, 5);
    const Lists lists(kernels_, a, size.rows, size.inner);
    const int64_t stride = size.n + 7;
    Matrix out(size.rows * stride);
    SparseTimesTransposedArgs args;
    args.a = lists.lists;
    args.b = b.data();
    args.inner = size.inner;
    args.n = size.n;
    args.start = start.data();
    args.offset = offset.data();
    args.out = out.data();
    args.out_stride = stride;
    ASSERT_EQ(SparseTimesTransposed(context_, args), absl::OkStatus());
    std::vector<double> expected(out.size());
    for (int64_t i = 0; i < size.rows; ++i) {
      for (int64_t j = 0; j < size.n; ++j) {
        double sum = start[j];
        for (int64_t k = 0; k < size.inner; ++k) {
          sum += (double{a[i * size.inner + k]} - offset[k]) * b[j * size.inner + k];
        }
        expected[i * stride + j] = sum;
      }
    }
    ExpectNear(out, expected);
  }
}

TEST_P(SparseProductsTest, AddsATransposedProduct) {
  for (const Extents& size : kExtents) {
    const Matrix a = RandomMatrix(size.rows * size.inner, 0.8, 2), b = RandomMatrix(size.inner * size.n, 0, 3);
    const Lists lists(kernels_, a, size.rows, size.inner);
    Matrix out(size.n * size.rows, 1.0f);
    AddTransposedProductArgs args;
    args.a = lists.lists;
    args.b = b.data();
    args.b_stride = size.n;
    args.inner = size.inner;
    args.n = size.n;
    args.out = out.data();
    args.after_row = [&](int64_t j) { out[j * size.rows] *= 2; };
    ASSERT_EQ(AddTransposedProduct(context_, args), absl::OkStatus());
    std::vector<double> expected(out.size());
    for (int64_t j = 0; j < size.n; ++j) {
      for (int64_t d = 0; d < size.rows; ++d) {
        double sum = 1;
        for (int64_t k = 0; k < size.inner; ++k) sum += double{a[d * size.inner + k]} * b[k * size.n + j];
        expected[j * size.rows + d] = d == 0 ? 2 * sum : sum;
      }
    }
    ExpectNear(out, expected);
  }
}

TEST_P(SparseProductsTest, DotsAtTheEntriesAlone) {
  for (const Extents& size : kExtents) {
    const Matrix a = RandomMatrix(size.rows * size.n, 0.5, 2), x = RandomMatrix(size.rows * size.inner, 0, 3);
    const Matrix b = RandomMatrix(size.n * size.inner, 0, 4);
    const Lists lists(kernels_, a, size.rows, size.n);
    Matrix products(size.rows * lists.lists.stride, 9.0f);
    DotsAtEntriesArgs args;
    args.a = lists.lists;
    args.x = x.data();
    args.b = b.data();
    args.width = size.inner;
    args.n = size.n;
    args.products = products.data();
    DotsAtEntries(context_, args);
    for (int64_t i = 0; i < size.rows; ++i) {
      for (int32_t e = 0; e < lists.lists.counts[i]; ++e) {
        const int64_t at = i * lists.lists.stride + e;
        double sum = 0;
        for (int64_t k = 0; k < size.inner; ++k) {
          sum += double{x[i * size.inner + k]} * b[lists.lists.indices[at] * size.inner + k];
        }
        ASSERT_NEAR(products[at], sum, 2e-5 * (1 + std::sqrt(static_cast<double>(size.inner))));
      }
      EXPECT_EQ(products[i * lists.lists.stride + lists.lists.counts[i]], 9.0f) << "written beyond the entries";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, SparseProductsTest,
                         testing::Combine(testing::ValuesIn(simd::AvailableInstructionSets()), testing::Values(1, 3)));

}  // namespace
}  // namespace kwta::onednn::support::sparse_products_test
