#include "core/simd/fixed_order_row.h"

#include <cstring>
#include <numeric>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::simd::fixed_order_row_test {
namespace {

TEST(FixedOrderRow, GivesTheBitsOfFixedOrderDotWhereverZerosAre) {
  Rng rng(1);
  for (int64_t width : {1, 15, 16, 17, 48, 64, 65, 128, 200, 784, 1030}) {
    for (double density : {0.0, 0.02, 0.3, 1.0}) {
      constexpr int64_t kUnits = 9;
      std::vector<float> x(width), atoms(kUnits * width), bias(kUnits);
      // Stretches of zeros of either sign.
      bool zero = false;
      for (int64_t d = 0; d < width; ++d) {
        if (d % 8 == 0) zero = rng.Uniform() >= density;
        x[d] = zero ? (rng.UniformBelow(2) ? 0.0f : -0.0f) : static_cast<float>(rng.Gaussian());
      }
      for (float& value : atoms) value = static_cast<float>(rng.Gaussian()) * (rng.UniformBelow(5) ? 1 : 1e-42f);
      for (float& value : bias) value = rng.UniformBelow(2) ? -0.0f : static_cast<float>(rng.Gaussian());
      std::vector<int32_t> units = {8, 0, 3, 3, 7};
      for (InstructionSet set : AvailableInstructionSets()) {
        FixedOrderRow row(set);
        std::vector<float> scores(units.size());
        row.Prepare(x.data(), width);
        row.Score(atoms.data(), bias.data(), units.data(), static_cast<int64_t>(units.size()), scores.data());
        for (size_t i = 0; i < units.size(); ++i) {
          const float expected = FixedOrderDot(x.data(), atoms.data() + units[i] * width, width) + bias[units[i]];
          EXPECT_EQ(std::memcmp(&scores[i], &expected, sizeof(float)), 0)
              << scores[i] << " is not " << expected << ", width " << width << ", density " << density;
        }
      }
    }
  }
}

}  // namespace
}  // namespace kwta::simd::fixed_order_row_test
