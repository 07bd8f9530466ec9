// Which calls of WinnerPass are one loop over the images; what they give is the conformance suite's to check.
#include "core/backends/onednn/winners/winner_pass.h"

#include <vector>

#include "tests/core/backends/conformance.h"

namespace kwta::onednn::winners::winner_pass_test {
namespace {

class OnednnWinnerPassTest : public testing::Test {
 protected:
  OnednnWinnerPassTest() : filters_(Gaussians(16 * 49, 1, 0.3)), bias_(16, 0.1f) {
    args_.encode.filters = filters_.data();
    args_.encode.bias = bias_.data();
    args_.encode.maps = 16;
    args_.encode.size = 7;
    args_.encode.images = {100, 1, 28, 28};
    args_.decoder_size = 7;
  }

  bool Suits(support::Filter filter) const {
    return WinnerPassCall::Suits(support::Context(1, simd::AvailableInstructionSets().front(), filter), args_);
  }

  std::vector<float> filters_, bias_;
  WinnerPassArgs args_;
};

TEST_F(OnednnWinnerPassTest, EveryFilterOfBytesSuits) {
  if (simd::AvailableInstructionSets().front() == simd::InstructionSet::kPortable)
    GTEST_SKIP() << "no vector products of bytes here";
  EXPECT_TRUE(Suits(support::Filter::kMeasured));
  EXPECT_TRUE(Suits(support::Filter::kBytes));
  EXPECT_TRUE(Suits(support::Filter::kBf16));
  EXPECT_FALSE(Suits(support::Filter::kFloats));
}

TEST_F(OnednnWinnerPassTest, OneWinnerOfEachMapSuits) {
  args_.encode.winners = 2;
  EXPECT_FALSE(Suits(support::Filter::kBytes));
  args_.encode.winners = 1;
  args_.encode.scope = WinnerScope::kAcrossMaps;
  EXPECT_FALSE(Suits(support::Filter::kBytes));
}

}  // namespace
}  // namespace kwta::onednn::winners::winner_pass_test
