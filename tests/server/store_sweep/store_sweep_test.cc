// One job after the other, each with another call failing of those that write its record or its version: whatever
// fails, and for however long, record and version agree in the end, and no job is left behind.
//
// scripts/proofs/store_faults adds up the lines that begin with "swept".
#include <gtest/gtest.h>

#include <cerrno>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_events.h"
#include "tests/server/store_sweep/faulty_calls.h"
#include "tests/server/store_sweep/job_service.h"
#include "tests/server/store_sweep/stride.h"
#include "tests/temporary_directory.h"

namespace kwta::testing {
namespace {

class StoreSweepTest : public ::testing::Test {
 protected:
  StoreSweepTest() : service_(directory_.path()) { WatchCalls(directory_.path()); }
  ~StoreSweepTest() override { WatchCalls(""); }

  v1::Job Train() { return service_.Train(absl::StrCat("job-", ++jobs_)); }

  void Sweep(int count, Fault fault) {
    FailNoCalls();
    ASSERT_EQ(Train().state(), v1::JOB_STATE_SUCCEEDED);
    const int calls = CallsMade();
    ASSERT_GT(calls, 30) << "calls are counted";
    int jobs = 0, stuck = 0, failed_with_version = 0, doubled = 0, lost = 0;
    for (int first = 1; first <= calls; first += Stride()) {
      FailCalls(first, count, fault);
      const v1::Job job = Train();
      const std::string what =
          absl::StrCat(job.id(), ", call ", first, " of ", calls, ", ", LastFailure(), ": ", job.error().message());
      FailNoCalls();
      const auto versions = VersionsByJob(directory_.path());
      const size_t published = versions.count(job.id());
      ++jobs;
      stuck += !server::IsFinal(job.state());
      failed_with_version += job.state() == v1::JOB_STATE_FAILED && published != 0;
      doubled += published > 1;
      lost += job.state() == v1::JOB_STATE_SUCCEEDED && published == 0;
      EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << what;
      ASSERT_EQ(published, 1u) << what;
      EXPECT_EQ(versions.find(job.id())->second, job.model_version()) << what;
      EXPECT_TRUE(service_.models().Get({"good", job.model_version()}).ok()) << what;
    }
    // The last job is seen to have ended a moment before it is known that the store works.
    while (!service_.runner().trouble().ok()) std::this_thread::yield();
    std::cout << "swept jobs=" << jobs << " stuck=" << stuck << " failed_with_version=" << failed_with_version
              << " doubled=" << doubled << " lost=" << lost << std::endl;
  }

  TemporaryDirectory directory_;
  int jobs_ = 0;
  JobService service_;
};

TEST_F(StoreSweepTest, AFullDiskForOneCall) { Sweep(1, {Fault::kError, ENOSPC}); }
TEST_F(StoreSweepTest, AnErrorOfTheDeviceForOneCall) { Sweep(1, {Fault::kError, EIO}); }
TEST_F(StoreSweepTest, AFullDiskForSeveralCalls) { Sweep(4, {Fault::kError, ENOSPC}); }
TEST_F(StoreSweepTest, HalfOfAWrite) { Sweep(1, {Fault::kShort}); }

}  // namespace
}  // namespace kwta::testing
