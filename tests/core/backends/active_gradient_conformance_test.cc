// ActiveGradient of every backend.
#include <limits>

#include "tests/core/backends/conformance.h"

namespace kwta::active_gradient_conformance_test {
namespace {

struct Shape {
  int64_t rows, k, units, width, x_k;
};

const std::vector<Shape> kShapes = {{0, 2, 3, 4, 2},         {1, 1, 1, 1, 1},      {1, 3, 3, 5, 5},
                                    {2, 1, 7, 16, 3},        {5, 7, 11, 97, 10},   {31, 4, 1000, 65, 1},
                                    {100, 25, 200, 784, 75}, {257, 3, 40, 33, 33}, {40, 40, 40, 20, 7}};
constexpr float kUntouched = 12345;

struct Gradients {
  std::vector<float> atoms, bias;
  std::vector<int32_t> active_rows;
};

std::vector<float> Dense(const Codes& codes, const Shape& shape) {
  std::vector<float> x(shape.rows * shape.width);
  for (size_t q = 0; q < codes.indices.size(); ++q) {
    x[q / shape.x_k * shape.width + codes.indices[q]] = codes.values[q];
  }
  return x;
}

// dz stands in active.values. Reads x, or x_codes if x is empty.
Gradients RunGradient(Backend& backend, const Shape& shape, const Codes& active, const std::vector<float>& x,
                      const Codes& x_codes, const std::vector<float>& atoms, float decay) {
  Floats x_array(backend, x), x_values(backend, x_codes.values), dz(backend, active.values);
  Floats atom_array(backend, atoms);
  Ints x_indices(backend, x_codes.indices), indices(backend, active.indices);
  Floats gradient_atoms(backend, std::vector<float>(shape.units * shape.width, kUntouched));
  Floats gradient_bias(backend, std::vector<float>(shape.units, kUntouched));
  Ints active_rows(backend, std::vector<int32_t>(shape.units, -1));
  ActiveGradientArgs args;
  if (x_codes.indices.empty()) args.x = x_array.data();
  args.x_indices = x_indices.data();
  args.x_values = x_values.data();
  args.x_k = shape.x_k;
  args.indices = indices.data();
  args.dz = dz.data();
  args.rows = shape.rows;
  args.k = shape.k;
  args.units = shape.units;
  args.width = shape.width;
  args.atoms = decay != 0 ? atom_array.data() : nullptr;
  args.decay = decay;
  args.gradient_atoms = gradient_atoms.data();
  args.gradient_bias = gradient_bias.data();
  args.active_rows = active_rows.data();
  EXPECT_EQ(backend.ActiveGradient(args), absl::OkStatus());
  return {gradient_atoms.Read(), gradient_bias.Read(), active_rows.Read()};
}

class ActiveGradientConformance : public Conformance {};

TEST_P(ActiveGradientConformance, AllShapesDenseAndAsCodesWithAndWithoutDecay) {
  for (const Shape& s : kShapes) {
    SCOPED_TRACE(testing::Message() << s.rows << " rows, k " << s.k << ", " << s.units << " units, width " << s.width);
    const Codes active = RandomCodes(s.rows, s.k, s.units, 1), below = RandomCodes(s.rows, s.x_k, s.width, 2);
    const std::vector<float> x = Dense(below, s), atoms = Gaussians(s.units * s.width, 3);
    for (const float decay : {0.0f, 0.25f}) {
      const Gradients expected = RunGradient(*reference_, s, active, x, {}, atoms, decay);
      for (const Gradients& actual : {RunGradient(*backend_, s, active, x, {}, atoms, decay),
                                      RunGradient(*backend_, s, active, x, below, atoms, decay)}) {
        EXPECT_EQ(actual.active_rows, expected.active_rows);
        const double tolerance = static_cast<double>(s.rows + 8) * 0x1p-20;
        ExpectClose(actual.atoms, expected.atoms, tolerance, 1e-5);
        ExpectClose(actual.bias, expected.bias, tolerance, 1e-5);
        for (int64_t unit = 0; unit < s.units; ++unit) {
          if (actual.active_rows[unit] > 0) continue;
          EXPECT_EQ(actual.bias[unit], 0.0f);
          for (int64_t d = 0; d < s.width; ++d) ASSERT_EQ(actual.atoms[unit * s.width + d], kUntouched);
        }
      }
    }
  }
}

TEST_P(ActiveGradientConformance, FollowsTheEquation) {
  const Shape s{2, 2, 3, 2, 1};
  const Codes active{{0, 2, 1, 2}, {1, 2, 4, 0.5f}};
  const std::vector<float> atoms = {10, 20, 30, 40, 50, 60};
  const std::vector<float> expected = {1 + 5, 3 + 10, 28 + 15, 36 + 20, 2 + 3.5f + 25, 6 + 4.5f + 30};
  const Gradients dense = RunGradient(*backend_, s, active, {1, 3, 7, 9}, {}, atoms, 0.5f);
  EXPECT_EQ(dense.atoms, expected);
  EXPECT_EQ(dense.bias, (std::vector<float>{1, 4, 2.5f}));
  EXPECT_EQ(dense.active_rows, (std::vector<int32_t>{1, 1, 2}));
  const Gradients sparse = RunGradient(*backend_, s, active, {}, {{1, 0}, {3, 7}}, {}, 0);
  EXPECT_EQ(sparse.atoms, (std::vector<float>{0, 3, 28, 0, 3.5f, 6}));
}

TEST_P(ActiveGradientConformance, InactiveUnitsAreUntouchedByInfinitiesElsewhere) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Gradients gradients = RunGradient(*backend_, {2, 1, 3, 1, 1}, {{0, 2}, {1, 1}}, {infinity, 2}, {}, {}, 0);
  EXPECT_EQ(gradients.atoms, (std::vector<float>{infinity, kUntouched, 2}));
}

TEST_P(ActiveGradientConformance, TheSameBitsOnAnyNumberOfThreads) {
  const Shape s{100, 25, 200, 784, 75};
  const Codes active = RandomCodes(s.rows, s.k, s.units, 1), below = RandomCodes(s.rows, s.x_k, s.width, 2);
  const auto alone = MakeBackend(GetParam().name, 1);
  for (const Codes& codes : {Codes(), below}) {
    const std::vector<float> x = Gaussians(s.rows * s.width, 3), atoms = Gaussians(s.units * s.width, 4);
    const Gradients actual = RunGradient(*backend_, s, active, x, codes, atoms, 0.1f);
    const Gradients expected = RunGradient(*alone, s, active, x, codes, atoms, 0.1f);
    EXPECT_EQ(Bits(actual.atoms), Bits(expected.atoms));
    EXPECT_EQ(Bits(actual.bias), Bits(expected.bias));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, ActiveGradientConformance, testing::ValuesIn(AllBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::active_gradient_conformance_test
