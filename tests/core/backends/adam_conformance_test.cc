// AdamUpdate of every backend.
#include <cmath>

#include "tests/core/backends/conformance.h"

namespace kwta::adam_conformance_test {
namespace {

struct State {
  std::vector<float> parameter, first, second;
};

State RunAdam(Backend& backend, const State& start, const std::vector<float>& gradient, AdamUpdateArgs args) {
  Floats parameter(backend, start.parameter), first(backend, start.first), second(backend, start.second);
  Floats gradient_array(backend, gradient);
  args.parameter = parameter.data();
  args.first = first.data();
  args.second = second.data();
  args.gradient = gradient_array.data();
  args.size = static_cast<int64_t>(gradient.size());
  EXPECT_EQ(backend.AdamUpdate(args), absl::OkStatus());
  return {parameter.Read(), first.Read(), second.Read()};
}

std::vector<float> Squares(std::vector<float> values) {
  for (float& value : values) value *= value;
  return values;
}

class AdamConformance : public Conformance {};

TEST_P(AdamConformance, EverySizeAndStep) {
  for (int64_t size : {0, 1, 7, 16, 97, 784, 50000}) {
    for (int64_t step : {1, 2, 100, 1000000000}) {
      SCOPED_TRACE(testing::Message() << size << " numbers, step " << step);
      const State start{Gaussians(size, 1), Gaussians(size, 2), Squares(Gaussians(size, 3))};
      const std::vector<float> gradient = Gaussians(size, 4);
      AdamUpdateArgs args;
      args.step = step;
      args.rate = 0.01f;
      const State actual = RunAdam(*backend_, start, gradient, args);
      const State expected = RunAdam(*reference_, start, gradient, args);
      // A few roundings in binary32; the early corrections scale the step up, and its error with it.
      ExpectClose(actual.parameter, expected.parameter, 1e-5, 1e-6);
      ExpectClose(actual.first, expected.first, 1e-6, 1e-6);
      ExpectClose(actual.second, expected.second, 1e-6, 1e-6);
    }
  }
}

TEST_P(AdamConformance, FollowsTheEquations) {
  AdamUpdateArgs args;
  args.step = 2;
  args.rate = 0.5f;
  args.beta1 = 0.5f;
  args.beta2 = 0.75f;
  args.epsilon = 1;
  // first = 0.5 * 1 + 0.5 * 2 = 1.5, second = 0.75 * 3 + 0.25 * 4 = 3.25; corrected 1.5 / 0.75 = 2, 3.25 / 0.4375.
  const State state = RunAdam(*backend_, {{10}, {1}, {3}}, {2}, args);
  EXPECT_FLOAT_EQ(state.first[0], 1.5f);
  EXPECT_FLOAT_EQ(state.second[0], 3.25f);
  EXPECT_NEAR(state.parameter[0], 10 - 0.5 * 2 / (std::sqrt(3.25 / 0.4375) + 1), 1e-6);
}

TEST_P(AdamConformance, TheFirstStepIsTheRateInTheGradientsDirection) {
  AdamUpdateArgs args;
  args.rate = 0.001f;
  const State state =
      RunAdam(*backend_, {{0, 0, 0}, std::vector<float>(3), std::vector<float>(3)}, {1e-3f, -4e6f, 0}, args);
  EXPECT_NEAR(state.parameter[0], -0.001, 2e-8);
  EXPECT_NEAR(state.parameter[1], 0.001, 2e-8);
  EXPECT_EQ(state.parameter[2], 0.0f);
}

TEST_P(AdamConformance, TheSameBitsOnAnyNumberOfThreads) {
  AdamUpdateArgs args;
  args.step = 5;
  args.rate = 0.01f;
  const State start{Gaussians(70001, 1), Gaussians(70001, 2), Squares(Gaussians(70001, 3))};
  const std::vector<float> gradient = Gaussians(70001, 4);
  const State actual = RunAdam(*backend_, start, gradient, args);
  const State alone = RunAdam(*MakeBackend(GetParam().name, 1), start, gradient, args);
  EXPECT_EQ(Bits(actual.parameter), Bits(alone.parameter));
  EXPECT_EQ(Bits(actual.first), Bits(alone.first));
  EXPECT_EQ(Bits(actual.second), Bits(alone.second));
}

INSTANTIATE_TEST_SUITE_P(All, AdamConformance, testing::ValuesIn(AllBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::adam_conformance_test
