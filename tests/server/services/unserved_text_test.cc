#include "server/services/unserved_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(UnservedTextTest, SaysWhatIsNotServedAndWhatToDo) {
  EXPECT_THAT(UnservedText("/inference.GRPCInferenceService/CudaSharedMemoryStatus"),
              AllOf(HasSubstr("CudaSharedMemoryStatus: shared memory of devices is not served"), HasSubstr("send")));
  EXPECT_THAT(UnservedText("/inference.GRPCInferenceService/TraceSetting"), HasSubstr("traces"));
  EXPECT_THAT(UnservedText("/inference.GRPCInferenceService/LogSettings"), HasSubstr("--log-level"));
  EXPECT_THAT(UnservedText("/kwta.v1.EncoderService/Decode"), HasSubstr("no method 'kwta.v1.EncoderService/Decode'"));
  EXPECT_THAT(UnservedText("/other.Service/TraceSetting"), HasSubstr("no method 'other.Service/TraceSetting'"));
  EXPECT_THAT(UnservedText(""), HasSubstr("no method ''"));
}

}  // namespace
}  // namespace kwta::server
