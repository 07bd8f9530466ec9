// SparseDecode of every backend; SparseResidual and SparseGradient of those that compute on the processor.
#include <cmath>

#include "tests/core/backends/conformance.h"

namespace kwta::sparse_conformance_test {
namespace {

struct Shape {
  int64_t rows, k, units, width;
};

const std::vector<Shape> kShapes = {{0, 2, 3, 4},        {1, 1, 1, 1},     {1, 3, 3, 5},
                                    {2, 1, 7, 16},       {5, 7, 11, 97},   {31, 4, 1000, 65},
                                    {100, 25, 200, 784}, {257, 3, 40, 33}, {40, 40, 40, 20}};

// Sums of n products of numbers of about 1, in binary32: an error of about sqrt(n) 2^-24 each, with room to spare.
double Tolerance(int64_t products) { return static_cast<double>(products + 8) * 0x1p-20; }

struct Decoded {
  std::vector<float> output;
  double squared_sum = -1;
};

std::vector<float> Decode(Backend& backend, const Shape& shape, const std::vector<float>& atoms,
                          const std::vector<float>& bias, const Codes& codes) {
  Floats atoms_array(backend, atoms), bias_array(backend, bias), values(backend, codes.values);
  Floats output(backend, shape.rows * shape.width);
  Ints indices(backend, codes.indices);
  EXPECT_EQ(backend.SparseDecode({atoms_array.data(), bias.empty() ? nullptr : bias_array.data(), indices.data(),
                                  values.data(), shape.rows, shape.k, shape.width, output.data()}),
            absl::OkStatus());
  return output.Read();
}

Decoded Residual(HostBackend& backend, const Shape& shape, const std::vector<float>& atoms,
                 const std::vector<float>& bias, const Codes& codes, const std::vector<float>& target,
                 bool want_sum = true) {
  Floats atoms_array(backend, atoms), bias_array(backend, bias), values(backend, codes.values);
  Floats target_array(backend, target), output(backend, shape.rows * shape.width);
  Ints indices(backend, codes.indices);
  Decoded decoded;
  SparseResidualArgs args;
  args.atoms = atoms_array.data();
  args.bias = bias.empty() ? nullptr : bias_array.data();
  args.indices = indices.data();
  args.values = values.data();
  args.rows = shape.rows;
  args.k = shape.k;
  args.width = shape.width;
  args.target = target.empty() ? nullptr : target_array.data();
  args.output = output.data();
  args.squared_sum = want_sum ? &decoded.squared_sum : nullptr;
  EXPECT_EQ(backend.SparseResidual(args), absl::OkStatus());
  decoded.output = output.Read();
  return decoded;
}

struct Gradients {
  std::vector<float> atoms, bias, decoder_bias;
  std::vector<int32_t> active_rows;
};

// Gradients; rows that must not be written keep `untouched`.
constexpr float kUntouched = 12345;

Gradients RunGradient(HostBackend& backend, const Shape& shape, const std::vector<float>& atoms, const Codes& codes,
                      const std::vector<float>& x, const std::vector<float>& residual, float scale) {
  Floats atoms_array(backend, atoms), x_array(backend, x), residual_array(backend, residual);
  Floats values(backend, codes.values);
  Ints indices(backend, codes.indices), active_rows(backend, std::vector<int32_t>(shape.units, -1));
  Floats gradient_atoms(backend, std::vector<float>(shape.units * shape.width, kUntouched));
  Floats gradient_bias(backend, std::vector<float>(shape.units, kUntouched));
  Floats gradient_decoder_bias(backend, std::vector<float>(shape.width, kUntouched));
  EXPECT_EQ(
      backend.SparseGradient({atoms_array.data(), x_array.data(), residual_array.data(), indices.data(), values.data(),
                              shape.rows, shape.k, shape.units, shape.width, scale, gradient_atoms.data(),
                              gradient_bias.data(), gradient_decoder_bias.data(), active_rows.data()}),
      absl::OkStatus());
  return {gradient_atoms.Read(), gradient_bias.Read(), gradient_decoder_bias.Read(), active_rows.Read()};
}

class SparseDecodeConformance : public Conformance {};
class SparseResidualConformance : public HostConformance {};
class SparseGradientConformance : public HostConformance {};

TEST_P(SparseDecodeConformance, AllShapesWithAndWithoutBias) {
  for (const Shape& s : kShapes) {
    SCOPED_TRACE(testing::Message() << s.rows << " rows, k " << s.k << ", " << s.units << " units, width " << s.width);
    const std::vector<float> atoms = Gaussians(s.units * s.width, 1);
    const Codes codes = RandomCodes(s.rows, s.k, s.units, 2);
    for (bool with_bias : {false, true}) {
      const std::vector<float> bias = Gaussians(with_bias ? s.width : 0, 3);
      ExpectClose(Decode(*backend_, s, atoms, bias, codes), Decode(*reference_, s, atoms, bias, codes), Tolerance(s.k),
                  1e-6);
    }
  }
}

TEST_P(SparseDecodeConformance, FollowsTheEquation) {
  EXPECT_EQ(Decode(*backend_, {2, 2, 3, 2}, {1, 2, 10, 20, 100, 200}, {0.5f, 0.25f}, {{0, 2, 1, 2}, {1, 2, -1, 0}}),
            (std::vector<float>{201.5f, 402.25f, -9.5f, -19.75f}));
}

TEST_P(SparseDecodeConformance, TheSameBitsOnAnyNumberOfThreads) {
  const Shape s{100, 25, 200, 784};
  const std::vector<float> atoms = Gaussians(s.units * s.width, 1);
  const Codes codes = RandomCodes(s.rows, s.k, s.units, 2);
  EXPECT_EQ(Bits(Decode(*backend_, s, atoms, {}, codes)),
            Bits(Decode(*MakeBackend(GetParam().name, 1), s, atoms, {}, codes)));
}

TEST_P(SparseResidualConformance, AllShapesWithAndWithoutBiasAndTarget) {
  for (const Shape& s : kShapes) {
    SCOPED_TRACE(testing::Message() << s.rows << " rows, k " << s.k << ", " << s.units << " units, width " << s.width);
    const std::vector<float> atoms = Gaussians(s.units * s.width, 1);
    const Codes codes = RandomCodes(s.rows, s.k, s.units, 2);
    for (bool with_bias : {false, true}) {
      for (bool with_target : {false, true}) {
        const std::vector<float> bias = Gaussians(with_bias ? s.width : 0, 3);
        const std::vector<float> target = Gaussians(with_target ? s.rows * s.width : 0, 4);
        const Decoded actual = Residual(*backend_, s, atoms, bias, codes, target);
        const Decoded expected = Residual(*reference_, s, atoms, bias, codes, target);
        ExpectClose(actual.output, expected.output, Tolerance(s.k), 1e-6);
        EXPECT_NEAR(actual.squared_sum, expected.squared_sum, Tolerance(s.k) * expected.squared_sum);
        EXPECT_EQ(Bits(Residual(*backend_, s, atoms, bias, codes, target, false).output), Bits(actual.output));
      }
    }
  }
}

TEST_P(SparseResidualConformance, FollowsTheEquation) {
  const Decoded decoded = Residual(*backend_, {2, 2, 3, 2}, {1, 2, 10, 20, 100, 200}, {0.5f, 0.25f},
                                   {{0, 2, 1, 2}, {1, 2, -1, 0}}, {201, 402, -10, -20});
  EXPECT_EQ(decoded.output, (std::vector<float>{0.5f, 0.25f, 0.5f, 0.25f}));
  EXPECT_EQ(decoded.squared_sum, 0.625);
}

TEST_P(SparseResidualConformance, TheSameBitsOnAnyNumberOfThreads) {
  const Shape s{100, 25, 200, 784};
  const std::vector<float> atoms = Gaussians(s.units * s.width, 1), target = Gaussians(s.rows * s.width, 4);
  const Codes codes = RandomCodes(s.rows, s.k, s.units, 2);
  const Decoded actual = Residual(*backend_, s, atoms, {}, codes, target);
  const Decoded alone = Residual(*MakeHostBackend({GetParam().name, 1}), s, atoms, {}, codes, target);
  EXPECT_EQ(Bits(actual.output), Bits(alone.output));
  EXPECT_EQ(actual.squared_sum, alone.squared_sum);
}

TEST_P(SparseGradientConformance, AllShapes) {
  for (const Shape& s : kShapes) {
    SCOPED_TRACE(testing::Message() << s.rows << " rows, k " << s.k << ", " << s.units << " units, width " << s.width);
    const std::vector<float> atoms = Gaussians(s.units * s.width, 1), x = Gaussians(s.rows * s.width, 2);
    const std::vector<float> residual = Gaussians(s.rows * s.width, 3);
    const Codes codes = RandomCodes(s.rows, s.k, s.units, 4);
    const float scale = 0.5f / static_cast<float>(s.rows + 1);
    const Gradients actual = RunGradient(*backend_, s, atoms, codes, x, residual, scale);
    const Gradients expected = RunGradient(*reference_, s, atoms, codes, x, residual, scale);
    EXPECT_EQ(actual.active_rows, expected.active_rows);
    // dz is a sum over the width, and enters the other two.
    ExpectClose(actual.atoms, expected.atoms, Tolerance(s.width), 1e-5);
    ExpectClose(actual.bias, expected.bias, Tolerance(s.width), 1e-5);
    ExpectClose(actual.decoder_bias, expected.decoder_bias, Tolerance(s.rows), 1e-5);
    for (int64_t unit = 0; unit < s.units; ++unit) {
      if (actual.active_rows[unit] > 0) continue;
      EXPECT_EQ(actual.bias[unit], 0.0f);
      for (int64_t d = 0; d < s.width; ++d) ASSERT_EQ(actual.atoms[unit * s.width + d], kUntouched);
    }
  }
}

TEST_P(SparseGradientConformance, TheSameBitsOnAnyNumberOfThreads) {
  const Shape s{100, 25, 200, 784};
  const std::vector<float> atoms = Gaussians(s.units * s.width, 1), x = Gaussians(s.rows * s.width, 2);
  const std::vector<float> residual = Gaussians(s.rows * s.width, 3);
  const Codes codes = RandomCodes(s.rows, s.k, s.units, 4);
  const Gradients actual = RunGradient(*backend_, s, atoms, codes, x, residual, 0.01f);
  const Gradients alone = RunGradient(*MakeHostBackend({GetParam().name, 1}), s, atoms, codes, x, residual, 0.01f);
  EXPECT_EQ(Bits(actual.atoms), Bits(alone.atoms));
  EXPECT_EQ(Bits(actual.bias), Bits(alone.bias));
  EXPECT_EQ(Bits(actual.decoder_bias), Bits(alone.decoder_bias));
}

// E as a function of the parameters with the support held fixed, in binary64 and by the definition alone.
double Energy(const Shape& s, const std::vector<double>& atoms, const std::vector<double>& bias,
              const std::vector<double>& decoder_bias, const std::vector<int32_t>& support, const std::vector<float>& x,
              double scale) {
  double energy = 0;
  for (int64_t i = 0; i < s.rows; ++i) {
    std::vector<double> reconstruction = decoder_bias;
    for (int64_t j = 0; j < s.k; ++j) {
      const int64_t unit = support[i * s.k + j];
      double z = bias[unit];
      for (int64_t d = 0; d < s.width; ++d) z += atoms[unit * s.width + d] * x[i * s.width + d];
      for (int64_t d = 0; d < s.width; ++d) reconstruction[d] += z * atoms[unit * s.width + d];
    }
    for (int64_t d = 0; d < s.width; ++d) energy += scale * std::pow(reconstruction[d] - x[i * s.width + d], 2);
  }
  return energy;
}

TEST_P(SparseGradientConformance, IsTheSlopeOfTheSquaredErrorWithTheSupportHeldFixed) {
  const Shape s{6, 3, 8, 5};
  const float scale = 0.25f;
  const std::vector<float> atoms = Gaussians(s.units * s.width, 1, 0.5), bias = Gaussians(s.units, 2, 0.5);
  const std::vector<float> decoder_bias = Gaussians(s.width, 3, 0.5), x = Gaussians(s.rows * s.width, 4);
  Floats atoms_array(*backend_, atoms), bias_array(*backend_, bias), x_array(*backend_, x);
  Ints indices(*backend_, s.rows * s.k);
  Floats values(*backend_, s.rows * s.k);
  auto dictionary = backend_->PrepareDictionary(atoms_array.data(), bias_array.data(), s.units, s.width);
  ASSERT_TRUE(dictionary.ok());
  ASSERT_EQ(backend_->AffineTopK({dictionary->get(), x_array.data(), s.rows, s.k, indices.data(), values.data()}),
            absl::OkStatus());
  const Codes codes{indices.Read(), values.Read()};
  const std::vector<float> residual = Residual(*backend_, s, atoms, decoder_bias, codes, x).output;
  const Gradients gradients = RunGradient(*backend_, s, atoms, codes, x, residual, scale);

  std::vector<double> atoms64(atoms.begin(), atoms.end()), bias64(bias.begin(), bias.end());
  std::vector<double> decoder_bias64(decoder_bias.begin(), decoder_bias.end());
  // E is a polynomial of degree four with coefficients of about 1: central differences at this step err by about 1e-8
  // in binary64, the gradients by a few units of binary32.
  const double step = 1e-4, tolerance = 2e-5;
  auto slope = [&](double& parameter) {
    const double at = parameter;
    parameter = at + step;
    const double above = Energy(s, atoms64, bias64, decoder_bias64, codes.indices, x, scale);
    parameter = at - step;
    const double below = Energy(s, atoms64, bias64, decoder_bias64, codes.indices, x, scale);
    parameter = at;
    return (above - below) / (2 * step);
  };
  for (int64_t unit = 0; unit < s.units; ++unit) {
    EXPECT_NEAR(gradients.bias[unit], slope(bias64[unit]), tolerance);
    for (int64_t d = 0; d < s.width; ++d) {
      const float actual = gradients.active_rows[unit] > 0 ? gradients.atoms[unit * s.width + d] : 0.0f;
      EXPECT_NEAR(actual, slope(atoms64[unit * s.width + d]), tolerance) << "unit " << unit << ", element " << d;
    }
  }
  for (int64_t d = 0; d < s.width; ++d) EXPECT_NEAR(gradients.decoder_bias[d], slope(decoder_bias64[d]), tolerance);
}

INSTANTIATE_TEST_SUITE_P(All, SparseDecodeConformance, testing::ValuesIn(AllBackendCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(All, SparseResidualConformance, testing::ValuesIn(HostBackendCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(All, SparseGradientConformance, testing::ValuesIn(HostBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::sparse_conformance_test
