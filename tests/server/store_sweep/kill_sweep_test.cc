// Kills the process in place of each call that writes, from its start to the end of a job. The next process, which
// starts on what is there, ends the job with one version, and leaves no debris.
//
// scripts/proofs/store_faults adds up the lines that begin with "swept".
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/io/model_bundle.h"
#include "tests/server/store_sweep/faulty_calls.h"
#include "tests/server/store_sweep/job_service.h"
#include "tests/server/store_sweep/stride.h"
#include "tests/temporary_directory.h"

namespace kwta::testing {
namespace {

constexpr int kSucceeded = 0, kNotSucceeded = 3;

// Starts a service on `directory` in a process of its own, which trains job `id` and is killed at its call number
// `kill_at` (0: it is not). Returns the process's status as waitpid gives it. REQUIRES: this process has one thread.
int TrainInAProcess(const std::string& directory, const std::string& id, int kill_at, int* calls) {
  int reports[2];
  EXPECT_EQ(::pipe2(reports, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    WatchCalls(directory);
    FailCalls(kill_at, kill_at > 0 ? 1 : 0, {Fault::kKill});
    v1::Job job;
    {
      JobService service(directory);
      job = service.Train(id);
    }
    const int made = CallsMade();
    const bool told = ::write(reports[1], &made, sizeof(made)) == sizeof(made);
    ::_exit(told && job.state() == v1::JOB_STATE_SUCCEEDED ? kSucceeded : kNotSucceeded);
  }
  ::close(reports[1]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  if (::read(reports[0], calls, sizeof(*calls)) != sizeof(*calls)) *calls = 0;
  ::close(reports[0]);
  return status;
}

// Files that only a process at work has.
std::vector<std::string> Debris(const std::string& directory) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const std::string path = entry.path().string().substr(directory.size());
    const std::string name = entry.path().filename().string();
    if ((name[0] == '.' && name != ".lock") || (absl::StartsWith(path, "/jobs/"))) found.push_back(path);
  }
  return found;
}

// Versions of a model whose files do not read whole.
int DamagedVersions(const std::string& directory) {
  int damaged = 0;
  for (const auto& [job, version] : VersionsByJob(directory)) {
    damaged += !ReadModelBundle(absl::StrCat(directory, "/models/good/", version)).ok();
  }
  return damaged;
}

TEST(KillSweepTest, EveryCallThatWrites) {
  TemporaryDirectory directory;
  int calls = 0, unused = 0, jobs = 0;
  // The first start makes the store; every other one finds it.
  ASSERT_EQ(TrainInAProcess(directory.path(), "first", 0, &unused), kSucceeded);
  std::filesystem::remove_all(directory.File("models/good"));
  ASSERT_EQ(TrainInAProcess(directory.path(), "second", 0, &calls), kSucceeded);
  ASSERT_GT(calls, 30) << "calls are counted";
  int kills = 0, lost = 0, doubled = 0, corrupt = 0, debris = 0;
  const int rounds = SweepsAll() ? 1 + 1000 / calls : 1;  // the trainer's calls and those of the server interleave anew
  for (int round = 0; round < rounds; ++round) {
    for (int at = 1; at <= calls; ++at) {
      const std::string id = absl::StrCat("job-", ++jobs);
      const int status = TrainInAProcess(directory.path(), id, at, &unused);
      // A start that finds nothing to do makes fewer calls than the one that was counted.
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++kills;
      // The next process must take up the job by itself or get it again under its id; a third finds the debris gone.
      EXPECT_EQ(TrainInAProcess(directory.path(), id, 0, &unused), kSucceeded) << id << ", killed at call " << at;
      const size_t published = VersionsByJob(directory.path()).count(id);
      EXPECT_EQ(published, 1u) << id << ", killed at call " << at;
      lost += published == 0;
      doubled += published > 1;
      const int damaged = DamagedVersions(directory.path());
      EXPECT_EQ(damaged, 0) << "killed at call " << at;
      corrupt += damaged;
      const std::vector<std::string> left = Debris(directory.path());
      EXPECT_TRUE(left.empty()) << "killed at call " << at << ": " << absl::StrJoin(left, " ");
      debris += !left.empty();
      // Old versions would make each start slower than the one before.
      std::filesystem::remove_all(directory.File("models/good"));
    }
  }
  EXPECT_GT(kills, 10);
  std::cout << "swept kills=" << kills << " lost=" << lost << " doubled=" << doubled << " corrupt=" << corrupt
            << " debris=" << debris << std::endl;
}

}  // namespace
}  // namespace kwta::testing
