// WinnerPass of every backend, and of the oneDNN backend with every instruction set: what ConvWinners,
// WinnerResidual and WinnerGradient of the reference give.
#include <cmath>
#include <limits>

#include "core/simd/instruction_sets.h"
#include "tests/core/backends/conformance.h"
#include "tests/core/backends/winner_problems.h"

namespace kwta::winner_pass_conformance_test {
namespace {

struct Pass {
  std::vector<float> encoder, decoder, bias, decoder_bias;
  std::vector<int32_t> active_rows;
  double squared_error = 0;
};

constexpr int32_t kRowsBefore = 1000;  // that maps are active in before the pass

// A decoder of its own, or the encoder's filters if size is 0.
Pass RunPass(Backend& backend, const WinnerProblem& p, int64_t decoder_size) {
  const bool tied = decoder_size == 0;
  const int64_t channels = p.images.channels;
  auto spoilt = [](size_t size) { return std::vector<float>(size, -7.0f); };
  Floats filters(backend, p.filters), bias(backend, p.bias), x(backend, p.x);
  Floats decoder(backend, tied ? p.filters : Gaussians(p.maps * channels * decoder_size * decoder_size, 11, 0.3));
  Floats decoder_bias(backend, Gaussians(channels, 12));
  Floats values(backend, spoilt(p.images.rows * p.entries())), residual(backend, spoilt(p.x.size()));
  Ints units(backend, p.images.rows * p.entries()), active_rows(backend, std::vector<int32_t>(p.maps, kRowsBefore));
  Doubles squared_error(backend, std::vector<double>{-7});
  const size_t decoder_weights = tied ? 0 : p.maps * channels * decoder_size * decoder_size;
  Floats encoder_out(backend, spoilt(p.filters.size())), decoder_out(backend, spoilt(decoder_weights));
  Floats bias_out(backend, spoilt(p.maps)), decoder_bias_out(backend, spoilt(channels));
  Pass pass;
  WinnerPassArgs args;
  args.encode.filters = filters.data();
  args.encode.bias = bias.data();
  args.encode.maps = p.maps;
  args.encode.size = p.size;
  args.encode.images = p.images;
  args.encode.x = x.data();
  args.encode.scope = p.scope;
  args.encode.winners = p.winners;
  args.encode.units = units.data();
  args.encode.values = values.data();
  args.entries = p.entries();
  args.decoder = tied ? filters.data() : decoder.data();
  args.decoder_bias = decoder_bias.data();
  args.decoder_size = tied ? p.size : decoder_size;
  args.residual = residual.data();
  args.gradient_encoder = encoder_out.data();
  args.gradient_decoder = tied ? nullptr : decoder_out.data();
  args.gradient_bias = bias_out.data();
  args.gradient_decoder_bias = decoder_bias_out.data();
  args.active_rows = active_rows.data();
  args.squared_error = squared_error.data();
  EXPECT_EQ(backend.WinnerPass(args), absl::OkStatus());
  pass.encoder = encoder_out.Read();
  pass.decoder = decoder_out.Read();
  pass.bias = bias_out.Read();
  pass.decoder_bias = decoder_bias_out.Read();
  pass.squared_error = squared_error.Read()[0];
  pass.active_rows = active_rows.Read();
  for (int32_t& rows : pass.active_rows) rows -= kRowsBefore;
  return pass;
}

class WinnerPassConformance : public Conformance {
 protected:
  void ExpectReference(const WinnerProblem& problem, int64_t decoder_size) {
    SCOPED_TRACE(testing::Message() << problem.shape() << ", decoder of size " << decoder_size);
    const Pass actual = RunPass(*backend_, problem, decoder_size);
    const Pass expected = RunPass(*reference_, problem, decoder_size);
    EXPECT_NEAR(actual.squared_error, expected.squared_error, 1e-5 * (1 + expected.squared_error));
    EXPECT_EQ(actual.active_rows, expected.active_rows);
    ExpectClose(actual.encoder, expected.encoder, 1e-4, 1e-4);
    ExpectClose(actual.decoder, expected.decoder, 1e-4, 1e-4);
    ExpectClose(actual.bias, expected.bias, 1e-4, 1e-4);
    ExpectClose(actual.decoder_bias, expected.decoder_bias, 1e-4, 1e-4);
  }
};

TEST_P(WinnerPassConformance, EveryShape) {
  for (const WinnerShape& shape : WinnerShapes()) {
    if (shape.images.rows == 0) continue;
    WinnerProblem problem = RandomWinnerProblem(shape);
    ExpectReference(problem, 0);
    for (int64_t decoder_size : {shape.size, std::max<int64_t>(1, shape.size - 1), shape.size + 2}) {
      ExpectReference(problem, decoder_size);
    }
    problem.winners = std::min<int64_t>(3, shape.images.positions());
    ExpectReference(problem, shape.size);
    problem.scope = WinnerScope::kAcrossMaps;
    ExpectReference(problem, shape.size);
  }
}

TEST_P(WinnerPassConformance, MoreRowsThanChunksAndMoreMapsThanABlock) {
  for (const WinnerShape& shape :
       std::vector<WinnerShape>{{{17, 1, 9, 12}, 3, 7}, {{41, 1, 8, 9}, 5, 5}, {{9, 3, 11, 10}, 130, 7}}) {
    WinnerProblem problem = RandomWinnerProblem(shape);
    ExpectReference(problem, 0);
    ExpectReference(problem, shape.size);
    for (float& pixel : problem.x) pixel -= 0.5f;
    ExpectReference(problem, 4);
  }
}

TEST_P(WinnerPassConformance, MapsWithoutAWinnerHaveAGradientOfZero) {
  WinnerProblem problem = RandomWinnerProblem({{5, 1, 9, 8}, 4, 5});
  problem.bias[2] = -1000;
  const Pass pass = RunPass(*backend_, problem, 5);
  EXPECT_EQ(pass.active_rows[2], 0);
  EXPECT_EQ(pass.bias[2], 0.0f);
  for (size_t e = 2 * 25; e < 3 * 25; ++e) {
    EXPECT_EQ(pass.encoder[e], 0.0f);
    EXPECT_EQ(pass.decoder[e], 0.0f);
  }
}

TEST_P(WinnerPassConformance, PixelsOfAnyMagnitude) {
  // One image among others whose numbers are not for filters of bytes.
  WinnerProblem problem = RandomWinnerProblem({{5, 1, 9, 8}, 4, 5});
  problem.x[3 * 72 + 30] = 1e18f;
  const Pass actual = RunPass(*backend_, problem, 5), expected = RunPass(*reference_, problem, 5);
  EXPECT_EQ(actual.active_rows, expected.active_rows);
  EXPECT_NEAR(actual.squared_error / expected.squared_error, 1, 1e-5);
}

TEST_P(WinnerPassConformance, SaysThatTrainingHasDiverged) {
  WinnerProblem problem = RandomWinnerProblem({{5, 1, 9, 8}, 4, 5});
  problem.filters[30] = std::numeric_limits<float>::infinity();
  const Pass infinite = RunPass(*backend_, problem, 5);
  EXPECT_FALSE(std::isfinite(infinite.squared_error));
  EXPECT_EQ(infinite.active_rows, std::vector<int32_t>(4));
  problem.filters[30] = std::numeric_limits<float>::quiet_NaN();
  problem.bias[0] = std::numeric_limits<float>::infinity();
  const Pass not_a_number = RunPass(*backend_, problem, 5);
  EXPECT_FALSE(std::isfinite(not_a_number.squared_error));
  EXPECT_EQ(not_a_number.active_rows, std::vector<int32_t>(4));
}

TEST_P(WinnerPassConformance, TheSameBitsOnAnyNumberOfThreads) {
  const WinnerProblem problem = RandomWinnerProblem({{60, 1, 28, 28}, 16, 7});
  BackendCase one_thread = GetParam();
  one_thread.threads = 1;
  const Pass actual = RunPass(*backend_, problem, 7), alone = RunPass(*MakeBackend(one_thread), problem, 7);
  EXPECT_EQ(Bits(actual.encoder), Bits(alone.encoder));
  EXPECT_EQ(Bits(actual.decoder), Bits(alone.decoder));
  EXPECT_EQ(Bits(actual.bias), Bits(alone.bias));
  EXPECT_EQ(Bits(actual.decoder_bias), Bits(alone.decoder_bias));
  EXPECT_EQ(actual.squared_error, alone.squared_error);
}

std::vector<BackendCase> Cases() {
  std::vector<BackendCase> cases = AllBackendCases();
  if (RunnableBackendNames().front() != "onednn") return cases;
  cases.push_back({"onednn", 2, {{"instruction_set", "portable"}}});
  cases.push_back({"onednn", 2, {{"filter", "fp32"}}});
  for (const simd::InstructionSet set : simd::AvailableInstructionSets()) {
    if (set == simd::InstructionSet::kAvx512) cases.push_back({"onednn", 2, {{"instruction_set", "avx512"}}});
    if (set == simd::InstructionSet::kAvx2) cases.push_back({"onednn", 2, {{"instruction_set", "avx2"}}});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, WinnerPassConformance, testing::ValuesIn(Cases()), CaseName);

}  // namespace
}  // namespace kwta::winner_pass_conformance_test
