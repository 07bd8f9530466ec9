// Memory, Gemm and MomentumUpdate of every backend.
#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/core/backends/conformance.h"

namespace kwta::dense_conformance_test {
namespace {

class MemoryConformance : public Conformance {};
class GemmConformance : public Conformance {};
class MomentumConformance : public Conformance {};

TEST_P(MemoryConformance, IsZeroedAndKeepsWhatIsCopied) {
  Floats array(*backend_, 1001);
  EXPECT_EQ(array.Read(), std::vector<float>(1001));
  std::vector<float> values = Gaussians(1001, 3);
  array.Write(values);
  EXPECT_EQ(Bits(array.Read()), Bits(values));
  ASSERT_EQ(backend_->Clear(array.data() + 7, 300 * sizeof(float)), absl::OkStatus());
  std::fill_n(values.begin() + 7, 300, 0.0f);
  EXPECT_EQ(Bits(array.Read()), Bits(values));
}

TEST_P(MemoryConformance, NoBytesAreFine) {
  Floats array(*backend_, size_t{0});
  EXPECT_TRUE(array.Read().empty());
}

TEST_P(MemoryConformance, TooManyBytesAreRefusedInWords) {
  for (size_t bytes : {std::numeric_limits<size_t>::max(), std::numeric_limits<size_t>::max() / 4}) {
    const absl::StatusOr<Buffer> buffer = backend_->Allocate(bytes);
    ASSERT_EQ(buffer.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_NE(buffer.status().message().find(std::to_string(bytes)), absl::string_view::npos) << buffer.status();
  }
}

TEST_P(MemoryConformance, SaysWhatItIs) {
  EXPECT_EQ(backend_->name(), GetParam().name);
  EXPECT_GE(backend_->threads(), 1);
  EXPECT_LE(backend_->threads(), GetParam().threads);
}

TEST_P(GemmConformance, WithinTheErrorOfABinary32Sum) {
  struct Shape {
    int64_t m, n, k;
  };
  for (const Shape& s : std::vector<Shape>{
           {1, 1, 1}, {0, 3, 2}, {2, 3, 5}, {1, 700, 31}, {131, 1, 17}, {129, 513, 67}, {300, 1100, 5}, {5, 7, 2000}}) {
    for (bool transpose_b : {false, true}) {
      SCOPED_TRACE(testing::Message() << s.m << " x " << s.n << " x " << s.k << ", transposed: " << transpose_b);
      const std::vector<float> a = Gaussians(s.m * s.k, 1), b = Gaussians(s.k * s.n, 2);
      auto run = [&](Backend& backend) {
        Floats a_array(backend, a), b_array(backend, b), c_array(backend, s.m * s.n);
        EXPECT_EQ(backend.Gemm({a_array.data(), b_array.data(), c_array.data(), s.m, s.n, s.k, transpose_b}),
                  absl::OkStatus());
        return c_array.Read();
      };
      // (k + 8) 2^-24 |a| |b|, with |a| |b| about k and at most a few times that for Gaussian rows.
      ExpectClose(run(*backend_), run(*reference_), static_cast<double>((s.k + 8) * (s.k + 8)) * 0x1p-22, 1e-7);
    }
  }
}

// Matrices with zeros: from all of them to none.
TEST_P(GemmConformance, LeavesOutZerosWithinTheSameError) {
  struct Shape {
    int64_t m, n, k;
  };
  const auto one_thread = MakeBackend(GetParam().name, 1);
  for (const Shape& s : std::vector<Shape>{
           {1, 1, 1}, {0, 3, 2}, {2, 3, 5}, {1, 700, 31}, {131, 1, 17}, {129, 513, 67}, {70, 260, 300}}) {
    for (const double zeros : {1.0, 0.95, 0.8, 0.55, 0.0}) {
      if (emulated() && zeros != 0.8) continue;  // its product does not look for zeros
      std::vector<float> a = Gaussians(s.m * s.k, 1), b = Gaussians(s.k * s.n, 2);
      Rng rng(3);
      for (float& each : a) each = rng.Uniform() <= zeros ? 0 : each;
      for (bool transpose_b : {false, true}) {
        SCOPED_TRACE(testing::Message() << s.m << " x " << s.n << " x " << s.k << ", transposed: " << transpose_b
                                        << ", zeros: " << zeros);
        const auto run = [&](Backend& backend, bool sparse) {
          Floats a_array(backend, a), b_array(backend, b), c_array(backend, s.m * s.n);
          GemmArgs args{a_array.data(), b_array.data(), c_array.data(), s.m, s.n, s.k, transpose_b};
          args.sparse_a = sparse;
          EXPECT_EQ(backend.Gemm(args), absl::OkStatus());
          return c_array.Read();
        };
        const std::vector<float> actual = run(*backend_, true);
        ExpectClose(actual, run(*reference_, false), static_cast<double>((s.k + 8) * (s.k + 8)) * 0x1p-22, 1e-7);
        EXPECT_EQ(Bits(actual), Bits(run(*one_thread, true)));
      }
    }
  }
}

struct Update {
  std::vector<float> parameter, velocity;
};

Update RunUpdate(Backend& backend, const Update& start, const std::vector<float>& gradient,
                 const std::vector<int32_t>& active_rows, MomentumUpdateArgs args) {
  Floats parameter(backend, start.parameter), velocity(backend, start.velocity), gradient_array(backend, gradient);
  Ints active(backend, active_rows);
  args.parameter = parameter.data();
  args.velocity = velocity.data();
  args.gradient = gradient_array.data();
  args.active_rows = active_rows.empty() ? nullptr : active.data();
  EXPECT_EQ(backend.MomentumUpdate(args), absl::OkStatus());
  return {parameter.Read(), velocity.Read()};
}

// A few roundings in binary32, of numbers of about 1.
constexpr double kUpdateTolerance = 4e-7;

TEST_P(MomentumConformance, EveryShapeWithAndWithoutUnitNorm) {
  for (int64_t rows : {0, 1, 7, 200}) {
    for (int64_t width : {1, 15, 16, 97, 784}) {
      for (bool unit_norm : {false, true}) {
        for (bool some_inactive : {false, true}) {
          SCOPED_TRACE(testing::Message() << rows << " x " << width << ", unit norm: " << unit_norm);
          const Update start{Gaussians(rows * width, 1), Gaussians(rows * width, 2)};
          std::vector<float> gradient = Gaussians(rows * width, 3);
          std::vector<int32_t> active_rows;
          if (some_inactive) {
            for (int64_t r = 0; r < rows; ++r) {
              active_rows.push_back(static_cast<int32_t>(r % 3));
              // What must not be read: one NaN would spoil the row.
              if (r % 3 == 0) gradient[r * width] = std::numeric_limits<float>::quiet_NaN();
            }
          }
          MomentumUpdateArgs args;
          args.rows = rows;
          args.width = width;
          args.rate = 0.25f;
          args.momentum = 0.75f;
          args.unit_norm = unit_norm;
          const Update actual = RunUpdate(*backend_, start, gradient, active_rows, args);
          const Update expected = RunUpdate(*reference_, start, gradient, active_rows, args);
          ExpectClose(actual.velocity, expected.velocity, kUpdateTolerance, kUpdateTolerance);
          if (unit_norm && width == 1) {
            EXPECT_EQ(actual.parameter, expected.parameter);  // 1 or -1
          } else if (!unit_norm) {
            ExpectClose(actual.parameter, expected.parameter, kUpdateTolerance, kUpdateTolerance);
          } else {
            // A short row is scaled up and its error with it.
            ExpectClose(actual.parameter, expected.parameter, 1e-5, kUpdateTolerance);
            for (int64_t r = 0; r < rows; ++r) {
              double squared_norm = 0;
              for (int64_t d = 0; d < width; ++d) {
                squared_norm += std::pow(static_cast<double>(actual.parameter[r * width + d]), 2);
              }
              EXPECT_NEAR(squared_norm, 1, 1e-5);
            }
          }
        }
      }
    }
  }
}

TEST_P(MomentumConformance, ShortensLongRowsAlone) {
  constexpr int64_t kRows = 9, kWidth = 37;
  MomentumUpdateArgs args;
  args.rows = kRows;
  args.width = kWidth;
  args.rate = 0.25f;
  args.momentum = 0.5f;
  const Update start{Gaussians(kRows * kWidth, 1), Gaussians(kRows * kWidth, 2)};
  const std::vector<float> gradient = Gaussians(kRows * kWidth, 3);
  const Update free = RunUpdate(*backend_, start, gradient, {}, args);
  args.max_norm = 7;
  const Update bounded = RunUpdate(*backend_, start, gradient, {}, args);
  EXPECT_EQ(bounded.velocity, free.velocity);
  int shortened = 0;
  for (int64_t r = 0; r < kRows; ++r) {
    double length = 0;
    for (int64_t d = 0; d < kWidth; ++d) length += std::pow(double{free.parameter[r * kWidth + d]}, 2);
    length = std::sqrt(length);
    shortened += length > 7;
    const double factor = length > 7 ? 7 / length : 1;
    for (int64_t d = r * kWidth; d < (r + 1) * kWidth; ++d) {
      EXPECT_NEAR(bounded.parameter[d], free.parameter[d] * factor, 1e-6);
    }
  }
  EXPECT_GT(shortened, 0);
  EXPECT_LT(shortened, kRows) << "the case is meant to have short rows";
}

TEST_P(MomentumConformance, FollowsTheEquation) {
  MomentumUpdateArgs args;
  args.rows = 1;
  args.width = 2;
  args.rate = 0.5f;
  args.momentum = 0.25f;
  const Update update = RunUpdate(*backend_, {{10, 20}, {4, -8}}, {2, 6}, {}, args);
  EXPECT_EQ(update.velocity, (std::vector<float>{0, -5}));
  EXPECT_EQ(update.parameter, (std::vector<float>{10, 15}));
}

TEST_P(MomentumConformance, RowsOfZerosStayUnderUnitNorm) {
  MomentumUpdateArgs args;
  args.rows = 2;
  args.width = 20;
  args.unit_norm = true;
  Update start{std::vector<float>(40), std::vector<float>(40)};
  start.parameter[20] = 3;
  const Update update = RunUpdate(*backend_, start, std::vector<float>(40), {}, args);
  std::vector<float> expected(40);
  expected[20] = 1;
  EXPECT_EQ(update.parameter, expected);
}

TEST_P(MomentumConformance, VelocitiesDoNotStaySubnormal) {
  const float smallest = std::numeric_limits<float>::min();
  MomentumUpdateArgs args;
  args.rows = 3;
  args.width = 17;
  args.momentum = 0.5f;
  const Update start{std::vector<float>(51, 1.0f), std::vector<float>(51, smallest)};
  const Update update = RunUpdate(*backend_, start, std::vector<float>(51), {0, 1, 0}, args);
  EXPECT_EQ(update.velocity, std::vector<float>(51));
  EXPECT_EQ(update.parameter, start.parameter);
  // And the caller's own arithmetic is as it was.
  volatile float half = smallest;
  half = half * 0.5f;
  EXPECT_GT(half, 0.0f);
}

TEST_P(MomentumConformance, TheSameBitsOnAnyNumberOfThreads) {
  MomentumUpdateArgs args;
  args.rows = 50;
  args.width = 1000;
  args.rate = 0.01f;
  args.momentum = 0.9f;
  args.unit_norm = true;
  const Update start{Gaussians(50000, 1), Gaussians(50000, 2)};
  const std::vector<float> gradient = Gaussians(50000, 3);
  const Update actual = RunUpdate(*backend_, start, gradient, {}, args);
  const Update alone = RunUpdate(*MakeBackend(GetParam().name, 1), start, gradient, {}, args);
  EXPECT_EQ(Bits(actual.parameter), Bits(alone.parameter));
  EXPECT_EQ(Bits(actual.velocity), Bits(alone.velocity));
}

INSTANTIATE_TEST_SUITE_P(All, MemoryConformance, testing::ValuesIn(AllBackendCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(All, GemmConformance, testing::ValuesIn(AllBackendCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(All, MomentumConformance, testing::ValuesIn(AllBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::dense_conformance_test
