#include "server/jobs/trainer_priority.h"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace kwta::server::trainer_priority_test {
namespace {

SteadyTime At(double seconds) { return SteadyTime::At(absl::Seconds(seconds)); }

// A process that only waits to be killed.
class Child {
 public:
  Child() : pid_(::fork()) {
    if (pid_ != 0) return;
    for (;;) ::pause();
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  int policy() const { return ::sched_getscheduler(pid_); }

 private:
  const pid_t pid_;
};

// Whether this process may leave the idle class, which takes a privilege.
bool MayLeaveIdleClass() {
  const Child child;
  const sched_param none = {};
  return ::sched_setscheduler(child.pid(), SCHED_IDLE, &none) == 0 &&
         ::sched_setscheduler(child.pid(), SCHED_OTHER, &none) == 0;
}

TEST(TrainerPriority, TrainersYieldWhileEncodeIsInUseAndASecondLonger) {
  const Child trainer, other;
  TrainerPriority priority;
  priority.Look(At(10));
  priority.Add(trainer.pid(), At(10));
  EXPECT_EQ(trainer.policy(), SCHED_OTHER);
  priority.EncodeIsInUse(At(11));
  EXPECT_EQ(trainer.policy(), SCHED_IDLE);
  EXPECT_EQ(other.policy(), SCHED_OTHER);
  priority.EncodeIsInUse(At(11.5));
  priority.Look(At(12.4));
  EXPECT_EQ(trainer.policy(), SCHED_IDLE);
  priority.Look(At(12.6));
  EXPECT_EQ(trainer.policy(), MayLeaveIdleClass() ? SCHED_OTHER : SCHED_IDLE);
  priority.EncodeIsInUse(At(13));
  EXPECT_EQ(trainer.policy(), SCHED_IDLE);
}

TEST(TrainerPriority, ATrainerThatStartsDuringCallsYieldsAtOnce) {
  const Child first, second;
  TrainerPriority priority;
  priority.EncodeIsInUse(At(5));
  priority.Add(first.pid(), At(5.5));
  EXPECT_EQ(first.policy(), SCHED_IDLE);
  priority.Add(second.pid(), At(7));
  EXPECT_EQ(second.policy(), SCHED_OTHER);
}

TEST(TrainerPriority, LeavesARemovedTrainerAlone) {
  const Child trainer;
  TrainerPriority priority;
  priority.Add(trainer.pid(), At(1));
  priority.Remove(trainer.pid());
  priority.EncodeIsInUse(At(2));
  priority.Look(At(2.1));
  EXPECT_EQ(trainer.policy(), SCHED_OTHER);
}

}  // namespace
}  // namespace kwta::server::trainer_priority_test
