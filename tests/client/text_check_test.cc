#include "client/text_check.h"

#include <gmock/gmock.h>

#include <string>

#include "kwta/v1/service.pb.h"

namespace kwta::client {
namespace {

using ::testing::HasSubstr;

TEST(CheckText, TakesTextAndAnyBytes) {
  v1::TrainRequest request;
  request.set_job_id("caf\xC3\xA9");
  EXPECT_EQ(CheckText(request), absl::OkStatus());
  v1::EncodeRequest encode;
  encode.set_model("m");
  encode.mutable_input()->set_raw("\xE9\xFF");
  EXPECT_EQ(CheckText(encode), absl::OkStatus()) << "rows are bytes, not text";
}

TEST(CheckText, NamesTheFieldThatIsNoText) {
  v1::TrainRequest request;
  request.mutable_spec()->mutable_dataset()->set_path("caf\xE9/");
  const absl::Status status = CheckText(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("path 'caf\\xe9/' is not UTF-8"));
}

TEST(CheckText, LooksIntoLists) {
  v1::ListJobsResponse jobs;
  jobs.add_jobs()->set_id("a");
  jobs.add_jobs()->mutable_progress()->add_warnings("\xFF");
  EXPECT_THAT(std::string(CheckText(jobs).message()), HasSubstr("warnings '\\xff'"));
}

}  // namespace
}  // namespace kwta::client
