#include "core/training/dead_units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::dead_units_test {
namespace {

using testing::EndsWith;
using testing::IsEmpty;
using testing::StartsWith;

TEST(DeadUnitsWarning, IsForMoreThanATenth) {
  v1::EncoderSpec encoder;
  encoder.mutable_rbm();
  EXPECT_THAT(DeadUnitsWarning(0, 64, encoder, false), IsEmpty());
  EXPECT_THAT(DeadUnitsWarning(10, 100, encoder, false), IsEmpty());
  EXPECT_THAT(DeadUnitsWarning(11, 100, encoder, false),
              StartsWith("11 of 100 units (11%) were in no code of the last epoch"));
  EXPECT_THAT(DeadUnitsWarning(0, 0, encoder, false), IsEmpty());
}

TEST(DeadUnitsWarning, AdvisesWhatTheModelCanTake) {
  v1::EncoderSpec encoder;
  encoder.mutable_rbm();
  EXPECT_THAT(DeadUnitsWarning(20, 100, encoder, false),
              EndsWith("encode nothing. Take a smaller learning rate or fewer units"));
  encoder.mutable_dropout();
  EXPECT_THAT(DeadUnitsWarning(20, 100, encoder, true),
              EndsWith("encode nothing. Subtract the mean of the rows, take a smaller learning rate or fewer units"));
  const v1::EncoderSpec below = encoder;
  *encoder.mutable_stack()->add_layers() = below;
  encoder.mutable_stack()->add_layers()->mutable_k_sparse();
  EXPECT_THAT(DeadUnitsWarning(20, 100, encoder, false),
              EndsWith("Take a smaller learning rate, fewer units or a larger k_start, or train dead units with "
                       "auxiliary_k"));
}

}  // namespace
}  // namespace kwta::dead_units_test
