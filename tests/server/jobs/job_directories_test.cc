#include "server/jobs/job_directories.h"

#include <gtest/gtest.h>

#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

TEST(JobDirectories, AFailedJobKeepsTheCheckpointThatNeedNotFailAgain) {
  const TemporaryDirectory directory;
  directory.Write(kTrainerLogName, "words");
  for (const absl::StatusCode code : {absl::StatusCode::kInternal, absl::StatusCode::kNotFound}) {
    EXPECT_EQ(KeepOfFailure(code, directory.path()), Keep::kLog) << "there is no checkpoint";
  }
  directory.Write("checkpoint", "numbers");
  // Killed; the data set or the base is away or may not be read; the disk, the memory or a device.
  for (const absl::StatusCode code :
       {absl::StatusCode::kInternal, absl::StatusCode::kNotFound, absl::StatusCode::kPermissionDenied,
        absl::StatusCode::kDataLoss, absl::StatusCode::kUnavailable, absl::StatusCode::kResourceExhausted}) {
    EXPECT_EQ(KeepOfFailure(code, directory.path()), Keep::kProgress) << code;
  }
  // Diverged; rows that cannot be trained on.
  for (const absl::StatusCode code : {absl::StatusCode::kFailedPrecondition, absl::StatusCode::kInvalidArgument}) {
    EXPECT_EQ(KeepOfFailure(code, directory.path()), Keep::kLog) << code;
  }
}

}  // namespace
}  // namespace kwta::server
