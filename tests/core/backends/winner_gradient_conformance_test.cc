// WinnerDecode of every backend; WinnerResidual and WinnerGradient of those that compute on the processor.
#include <cmath>

#include "gmock/gmock.h"
#include "tests/core/backends/conformance.h"
#include "tests/core/backends/winner_problems.h"

namespace kwta::winner_gradient_conformance_test {
namespace {

using testing::ElementsAre;

// The decoder's filters for a problem, and what its winners give.
struct Decoder {
  int64_t size;
  std::vector<float> filters, bias;
};

Decoder RandomDecoder(const WinnerProblem& p, int64_t size, uint64_t seed = 11) {
  return {size, Gaussians(p.maps * p.images.channels * size * size, seed, 0.3), Gaussians(p.images.channels, seed + 1)};
}

struct Output {
  std::vector<float> output;
  double squared_sum;
};

std::vector<float> RunDecode(Backend& backend, const WinnerProblem& p, const Decoder& decoder, const Codes& codes) {
  Floats filters(backend, decoder.filters), bias(backend, decoder.bias), values(backend, codes.values);
  Floats output(backend, std::vector<float>(p.x.size(), -7.0f));
  Ints units(backend, codes.indices);
  EXPECT_EQ(backend.WinnerDecode({filters.data(), bias.data(), p.maps, decoder.size, p.images, units.data(),
                                  values.data(), p.entries(), output.data()}),
            absl::OkStatus());
  return output.Read();
}

Output RunResidual(HostBackend& backend, const WinnerProblem& p, const Decoder& decoder, const Codes& codes,
                   bool subtract_x) {
  Floats filters(backend, decoder.filters), bias(backend, decoder.bias), values(backend, codes.values);
  Floats x(backend, p.x), output(backend, std::vector<float>(p.x.size(), -7.0f));
  Ints units(backend, codes.indices);
  Output result;
  WinnerResidualArgs args;
  args.filters = filters.data();
  args.bias = bias.data();
  args.maps = p.maps;
  args.size = decoder.size;
  args.images = p.images;
  args.units = units.data();
  args.values = values.data();
  args.entries = p.entries();
  args.target = subtract_x ? x.data() : nullptr;
  args.output = output.data();
  args.squared_sum = &result.squared_sum;
  EXPECT_EQ(backend.WinnerResidual(args), absl::OkStatus());
  result.output = output.Read();
  return result;
}

struct Gradients {
  std::vector<float> encoder, decoder, bias, decoder_bias;
  std::vector<int32_t> active_rows;
};

Gradients RunGradient(HostBackend& backend, const WinnerProblem& p, const Decoder& decoder, bool tied,
                      const Codes& codes, const std::vector<float>& residual, float scale) {
  auto spoilt = [](size_t size) { return std::vector<float>(size, -7.0f); };
  Floats filters(backend, decoder.filters), x(backend, p.x), r(backend, residual), values(backend, codes.values);
  Ints units(backend, codes.indices), active_rows(backend, std::vector<int32_t>(p.maps, -7));
  Floats encoder_out(backend, spoilt(p.filters.size())), decoder_out(backend, spoilt(decoder.filters.size()));
  Floats bias_out(backend, spoilt(p.maps)), decoder_bias_out(backend, spoilt(p.images.channels));
  WinnerGradientArgs args;
  args.decoder = filters.data();
  args.maps = p.maps;
  args.encoder_size = p.size;
  args.decoder_size = decoder.size;
  args.images = p.images;
  args.x = x.data();
  args.residual = r.data();
  args.units = units.data();
  args.values = values.data();
  args.entries = p.entries();
  args.scale = scale;
  args.gradient_encoder = encoder_out.data();
  args.gradient_decoder = tied ? nullptr : decoder_out.data();
  args.gradient_bias = bias_out.data();
  args.gradient_decoder_bias = decoder_bias_out.data();
  args.active_rows = active_rows.data();
  EXPECT_EQ(backend.WinnerGradient(args), absl::OkStatus());
  return {encoder_out.Read(), tied ? std::vector<float>() : decoder_out.Read(), bias_out.Read(),
          decoder_bias_out.Read(), active_rows.Read()};
}

// Every shape with one winner a map, several, and all maps together; decoders of the encoder's size and of others.
struct Case {
  WinnerProblem problem;
  Decoder decoder;
};
std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const WinnerShape& shape : WinnerShapes()) {
    for (int kind = 0; kind < 3; ++kind) {
      WinnerProblem problem = RandomWinnerProblem(shape);
      problem.scope = kind == 2 ? WinnerScope::kAcrossMaps : WinnerScope::kEachMap;
      problem.winners = kind == 0 ? 1 : std::min<int64_t>(5, shape.images.positions());
      cases.push_back({problem, RandomDecoder(problem, std::max<int64_t>(1, shape.size - kind))});
    }
  }
  return cases;
}

class WinnerDecodeConformance : public Conformance {};
class WinnerResidualConformance : public HostConformance {};
class WinnerGradientConformance : public HostConformance {};

TEST_P(WinnerDecodeConformance, EveryShape) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(testing::Message() << c.problem.shape());
    const Codes codes = RunConvWinners(*reference_, c.problem);
    // At most as many terms of about 1 as there are winners, each a rounding.
    ExpectClose(RunDecode(*backend_, c.problem, c.decoder, codes), RunDecode(*reference_, c.problem, c.decoder, codes),
                1e-5, 1e-6);
  }
}

TEST_P(WinnerResidualConformance, EveryShape) {
  for (const Case& c : Cases()) {
    const Codes codes = RunConvWinners(*reference_, c.problem);
    for (bool subtract : {false, true}) {
      SCOPED_TRACE(testing::Message() << c.problem.shape());
      const Output actual = RunResidual(*backend_, c.problem, c.decoder, codes, subtract);
      const Output expected = RunResidual(*reference_, c.problem, c.decoder, codes, subtract);
      // At most as many terms of about 1 as there are winners, each a rounding.
      ExpectClose(actual.output, expected.output, 1e-5, 1e-6);
      EXPECT_NEAR(actual.squared_sum, expected.squared_sum, 1e-5 * (1 + expected.squared_sum));
    }
  }
}

TEST_P(WinnerDecodeConformance, PlacesFiltersAroundTheWinnersAndCutsThemOff) {
  // 3x4 images of two channels, filters of width 2, which reach one pixel right and down; winners at (0, 1) of map 0
  // and at the last position (2, 3) of map 1.
  WinnerProblem problem = RandomWinnerProblem({{1, 2, 3, 4}, 2, 2});
  Decoder decoder{2, {1, 2, 3, 4, 10, 20, 30, 40, 5, 6, 7, 8, 50, 60, 70, 80}, {0.5f, -1}};
  EXPECT_THAT(RunDecode(*backend_, problem, decoder, {{1, 12 + 11}, {2, 3}}),
              ElementsAre(0.5f, 2.5f, 4.5f, 0.5f, 0.5f, 6.5f, 8.5f, 0.5f, 0.5f, 0.5f, 0.5f, 15.5f,  //
                          -1, 19, 39, -1, -1, 59, 79, -1, -1, -1, -1, 149));
}

TEST_P(WinnerResidualConformance, WithoutWinnersTheBiasIsLeft) {
  WinnerProblem problem = RandomWinnerProblem({{2, 2, 3, 3}, 2, 3});
  Decoder decoder = RandomDecoder(problem, 3);
  decoder.bias = {2, 3};
  const Output output = RunResidual(*backend_, problem, decoder, {{-1, -1, -1, -1}, {0, 0, 0, 0}}, false);
  for (size_t p = 0; p < output.output.size(); ++p) EXPECT_EQ(output.output[p], p / 9 % 2 == 0 ? 2.0f : 3.0f);
  EXPECT_EQ(output.squared_sum, 18 * 4 + 18 * 9);
}

TEST_P(WinnerDecodeConformance, WithoutWinnersTheBiasIsLeft) {
  WinnerProblem problem = RandomWinnerProblem({{2, 2, 3, 3}, 2, 3});
  Decoder decoder = RandomDecoder(problem, 3);
  decoder.bias = {2, 3};
  const std::vector<float> output = RunDecode(*backend_, problem, decoder, {{-1, -1, -1, -1}, {0, 0, 0, 0}});
  for (size_t p = 0; p < output.size(); ++p) EXPECT_EQ(output[p], p / 9 % 2 == 0 ? 2.0f : 3.0f);
}

TEST_P(WinnerGradientConformance, EveryShape) {
  for (const Case& c : Cases()) {
    SCOPED_TRACE(testing::Message() << c.problem.shape());
    const Codes codes = RunConvWinners(*reference_, c.problem);
    const std::vector<float> residual = Gaussians(static_cast<int64_t>(c.problem.x.size()), 5);
    for (bool tied : {false, true}) {
      if (tied && c.decoder.size != c.problem.size) continue;
      const Gradients actual = RunGradient(*backend_, c.problem, c.decoder, tied, codes, residual, 0.1f);
      const Gradients expected = RunGradient(*reference_, c.problem, c.decoder, tied, codes, residual, 0.1f);
      EXPECT_EQ(actual.active_rows, expected.active_rows);
      ExpectClose(actual.encoder, expected.encoder, 1e-4, 1e-5);
      ExpectClose(actual.decoder, expected.decoder, 1e-4, 1e-5);
      ExpectClose(actual.bias, expected.bias, 1e-4, 1e-5);
      ExpectClose(actual.decoder_bias, expected.decoder_bias, 1e-4, 1e-5);
    }
  }
}

TEST_P(WinnerGradientConformance, CountsRowsWithAWinner) {
  WinnerProblem problem = RandomWinnerProblem({{3, 1, 2, 2}, 3, 1});
  problem.winners = 2;
  const Codes codes{{0, 3, -1, -1, 8, -1, 1, -1, -1, -1, 8, 9, -1, -1, -1, -1, -1, -1}, std::vector<float>(18, 1.0f)};
  const Gradients gradients = RunGradient(*backend_, problem, RandomDecoder(problem, 1), false, codes, problem.x, 1);
  EXPECT_THAT(gradients.active_rows, ElementsAre(2, 0, 2));
  // What has no winner has a gradient of zero, and it is written.
  EXPECT_EQ(gradients.bias[1], 0.0f);
  EXPECT_EQ(gradients.encoder[1], 0.0f);
  EXPECT_EQ(gradients.decoder[1], 0.0f);
}

TEST_P(WinnerGradientConformance, TheSameBitsOnAnyNumberOfThreadsAndInRepetition) {
  const WinnerProblem problem = RandomWinnerProblem({{60, 1, 28, 28}, 16, 7});
  const Decoder decoder = RandomDecoder(problem, 7);
  const Codes codes = RunConvWinners(*backend_, problem);
  const std::shared_ptr<HostBackend> alone = MakeHostBackend({GetParam().name, 1});
  const Output output = RunResidual(*backend_, problem, decoder, codes, true);
  const Output output_alone = RunResidual(*alone, problem, decoder, codes, true);
  EXPECT_EQ(Bits(output.output), Bits(output_alone.output));
  EXPECT_EQ(output.squared_sum, output_alone.squared_sum);
  const Gradients actual = RunGradient(*backend_, problem, decoder, false, codes, output.output, 0.01f);
  const Gradients expected = RunGradient(*alone, problem, decoder, false, codes, output.output, 0.01f);
  EXPECT_EQ(Bits(actual.encoder), Bits(expected.encoder));
  EXPECT_EQ(Bits(actual.decoder), Bits(expected.decoder));
  EXPECT_EQ(Bits(actual.bias), Bits(expected.bias));
  EXPECT_EQ(Bits(actual.decoder_bias), Bits(expected.decoder_bias));
}

// Parameters in binary64, and E as a function of them with the winners held fixed, by the definition alone.
struct Parameters {
  std::vector<double> encoder, bias, decoder, decoder_bias;
};

double Energy(const WinnerProblem& p, const Parameters& parameters, int64_t decoder_size, bool tied,
              const std::vector<int32_t>& units, double scale) {
  const ImageBatch& images = p.images;
  const std::vector<double>& decoder = tied ? parameters.encoder : parameters.decoder;
  double energy = 0;
  for (int64_t i = 0; i < images.rows; ++i) {
    auto pixel = [&](int64_t c, int64_t y, int64_t x) {
      const bool inside = y >= 0 && y < images.height && x >= 0 && x < images.width;
      return inside ? double{p.x[i * images.elements() + (c * images.height + y) * images.width + x]} : 0.0;
    };
    std::vector<double> reconstruction;
    for (int64_t e = 0; e < images.elements(); ++e) {
      reconstruction.push_back(parameters.decoder_bias[e / images.positions()]);
    }
    for (int64_t e = i * p.entries(); e < (i + 1) * p.entries(); ++e) {
      if (units[e] < 0) continue;
      const int64_t m = units[e] / images.positions();
      const int64_t y = units[e] % images.positions() / images.width, x = units[e] % images.width;
      double z = parameters.bias[m];
      for (int64_t w = 0; w < images.channels * p.size * p.size; ++w) {
        const int64_t c = w / (p.size * p.size), dy = w / p.size % p.size, dx = w % p.size;
        z += parameters.encoder[m * images.channels * p.size * p.size + w] *
             pixel(c, y - (p.size - 1) / 2 + dy, x - (p.size - 1) / 2 + dx);
      }
      const int64_t size = decoder_size, elements = images.channels * size * size;
      for (int64_t w = 0; w < elements; ++w) {
        const int64_t row = y - (size - 1) / 2 + w / size % size, column = x - (size - 1) / 2 + w % size;
        if (row < 0 || row >= images.height || column < 0 || column >= images.width) continue;
        reconstruction[(w / (size * size) * images.height + row) * images.width + column] +=
            z * decoder[m * elements + w];
      }
    }
    for (int64_t e = 0; e < images.elements(); ++e) {
      energy += scale * std::pow(reconstruction[e] - p.x[i * images.elements() + e], 2);
    }
  }
  return energy;
}

TEST_P(WinnerGradientConformance, IsTheSlopeOfTheSquaredErrorWithTheWinnersHeldFixed) {
  struct Shape {
    WinnerShape shape;
    int64_t decoder_size, winners;
    WinnerScope scope;
    bool tied;
  };
  for (const Shape& s : std::vector<Shape>{{{{4, 1, 6, 5}, 3, 3}, 3, 1, WinnerScope::kEachMap, false},
                                           {{{3, 2, 5, 6}, 3, 4}, 3, 2, WinnerScope::kEachMap, false},
                                           {{{3, 2, 5, 6}, 4, 2}, 5, 7, WinnerScope::kAcrossMaps, false},
                                           {{{3, 2, 6, 6}, 3, 3}, 3, 2, WinnerScope::kEachMap, true},
                                           {{{3, 1, 4, 4}, 2, 4}, 4, 16, WinnerScope::kEachMap, true}}) {
    SCOPED_TRACE(testing::Message() << s.shape << ", tied " << s.tied);
    WinnerProblem problem = RandomWinnerProblem(s.shape);
    problem.scope = s.scope;
    problem.winners = s.winners;
    Decoder decoder = RandomDecoder(problem, s.decoder_size);
    if (s.tied) decoder.filters = problem.filters;
    const float scale = 0.25f;
    const Codes codes = RunConvWinners(*backend_, problem);
    ASSERT_THAT(codes.indices, testing::Contains(testing::Ge(0)));
    const std::vector<float> residual = RunResidual(*backend_, problem, decoder, codes, true).output;
    const Gradients gradients = RunGradient(*backend_, problem, decoder, s.tied, codes, residual, scale);

    auto widen = [](const std::vector<float>& values) { return std::vector<double>(values.begin(), values.end()); };
    Parameters parameters{widen(problem.filters), widen(problem.bias), widen(decoder.filters), widen(decoder.bias)};
    auto expect_slopes = [&](const std::vector<float>& gradient, std::vector<double>& values) {
      ASSERT_EQ(gradient.size(), values.size());
      for (size_t w = 0; w < values.size(); ++w) {
        // E is a polynomial of degree four: central differences at this step err by about 1e-8 in binary64.
        const double step = 1e-4, at = values[w];
        values[w] = at + step;
        const double above = Energy(problem, parameters, s.decoder_size, s.tied, codes.indices, scale);
        values[w] = at - step;
        const double below = Energy(problem, parameters, s.decoder_size, s.tied, codes.indices, scale);
        values[w] = at;
        const double slope = (above - below) / (2 * step);
        EXPECT_NEAR(gradient[w], slope, 2e-5 * (1 + std::abs(slope))) << "at " << w;
      }
    };
    expect_slopes(gradients.encoder, parameters.encoder);
    if (!s.tied) expect_slopes(gradients.decoder, parameters.decoder);
    expect_slopes(gradients.bias, parameters.bias);
    expect_slopes(gradients.decoder_bias, parameters.decoder_bias);
  }
}

INSTANTIATE_TEST_SUITE_P(All, WinnerDecodeConformance, testing::ValuesIn(AllBackendCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(All, WinnerResidualConformance, testing::ValuesIn(HostBackendCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(All, WinnerGradientConformance, testing::ValuesIn(HostBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::winner_gradient_conformance_test
