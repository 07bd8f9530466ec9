#include "core/research/reproduction/winner_maps.h"

#include <gtest/gtest.h>

#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/winner_take_all_fixture.h"

namespace kwta::winner_maps_test {
namespace {

class WinnerMapsOnEveryBackend : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Backends, WinnerMapsOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

TEST_P(WinnerMapsOnEveryBackend, AreAnIndependentComputations) {
  const ModelBundle model = RandomWinnerTakeAllModel(FittedWinnerTakeAll({2, 6, 7}), true, 12);
  const WinnerTakeAllOracle oracle(model.description.encoder().winner_take_all(), model.tensors);
  Rng rng(13);
  const Tensor image = GaussianTensor({1, 84}, 1.0, rng);
  const std::shared_ptr<Backend> backend = CreateAnyBackend(GetParam(), {2}).value();
  const WinnerMaps maps = MapsOfImage(model, image.rows(), *backend).value();

  ASSERT_EQ(maps.input.size(), 84u);
  std::vector<double> input(maps.input.begin(), maps.input.end());
  for (int64_t d = 0; d < 84; ++d) {
    EXPECT_NEAR(input[d], image.as<float>()[d] - model.tensors.at("mean").as<float>()[d], 1e-6);
  }
  const std::vector<double> z = oracle.Activities(input.data());
  ASSERT_EQ(maps.open.size(), z.size());
  std::vector<double> winners(z.size());
  for (const int64_t unit : oracle.Winners(z)) winners[unit] = z[unit];
  for (size_t unit = 0; unit < z.size(); ++unit) {
    EXPECT_NEAR(maps.open[unit], std::max(z[unit], 0.0), 1e-5);
    EXPECT_NEAR(maps.winners[unit], winners[unit], 1e-5);
  }
  const std::vector<double> pooled = oracle.Pooled(z);
  ASSERT_EQ(maps.pooled.size(), pooled.size());
  for (size_t unit = 0; unit < pooled.size(); ++unit) EXPECT_NEAR(maps.pooled[unit], pooled[unit], 1e-5);
}

}  // namespace
}  // namespace kwta::winner_maps_test
