#include "core/backends/onednn/regularised/affine_kernels.h"

#include <cstring>
#include <vector>

#include "core/base/rng.h"
#include "core/simd/fixed_order_dot.h"
#include "gtest/gtest.h"

namespace kwta::onednn::regularised::affine_kernels_test {
namespace {

TEST(AffineKernels, GiveTheBitsOfFixedOrderDotWhereverZerosAre) {
  Rng rng(1);
  for (const int64_t width : {1, 15, 16, 17, 64, 65, 200, 784, 1030}) {
    for (const double density : {0.0, 0.05, 0.5, 1.0}) {
      std::vector<float> x(width), atoms(kDots * width);
      for (int64_t d = 0; d < width; ++d) {
        // Whole tiles are zero, of either sign, and single elements.
        const bool zero = (d % 16 == 0 ? rng.Uniform() >= density : x[d - 1] == 0) || rng.UniformBelow(5) == 0;
        x[d] = zero ? (rng.UniformBelow(2) ? 0.0f : -0.0f) : static_cast<float>(rng.Gaussian());
      }
      for (float& each : atoms) each = static_cast<float>(rng.Gaussian()) * (rng.UniformBelow(5) ? 1 : 1e-42f);
      for (const simd::InstructionSet set : simd::AvailableInstructionSets()) {
        const AffineKernels& kernels = AffineKernelsFor(set);
        const int64_t stride = width / 64 + 1;
        std::vector<int32_t> places(kTileClasses * stride, -1);
        RowTiles tiles{places.data(), stride, {}};
        kernels.list_tiles(x.data(), width, &tiles);
        for (const int64_t count : {int64_t{1}, int64_t{5}, kDots}) {
          std::vector<float> products(count + 1, 7.0f);
          kernels.dots(x.data(), width, tiles, atoms.data(), count, products.data());
          for (int64_t j = 0; j < count; ++j) {
            const float expected = simd::FixedOrderDot(x.data(), atoms.data() + j * width, width);
            EXPECT_EQ(std::memcmp(&products[j], &expected, sizeof(float)), 0)
                << products[j] << " is not " << expected << ", width " << width << ", density " << density;
          }
          EXPECT_EQ(products[count], 7.0f);
        }
      }
    }
  }
}

}  // namespace
}  // namespace kwta::onednn::regularised::affine_kernels_test
