#include "server/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace kwta::server {
namespace {

// Runs `act` in a process of its own and gives its wait status.
template <typename Act>
int Elsewhere(Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    act();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(ProcessTest, DescriptorsOfStandardStreamsAreNeverFree) {
  const int status = Elsewhere([] {
    ::close(STDIN_FILENO);
    ::close(STDERR_FILENO);
    OccupyStandardDescriptors();
    const int next = ::open("/dev/null", O_RDONLY);
    ::_exit(next > STDERR_FILENO && ::fcntl(STDIN_FILENO, F_GETFD) >= 0 && ::fcntl(STDERR_FILENO, F_GETFD) >= 0 ? 0
                                                                                                                : 1);
  });
  EXPECT_EQ(status, 0);
}

TEST(ProcessTest, EachSignalThatStopsDoesSoTwice) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGXCPU}) {
    const int status = Elsewhere([signal] {
      ::close(STDERR_FILENO);  // the words are not for the log of this test
      StopSignals stop;
      ::raise(signal);
      stop.Wait();
      stop.ExitAtTheNext();
      ::raise(signal);
    });
    ASSERT_TRUE(WIFEXITED(status)) << signal;
    EXPECT_EQ(WEXITSTATUS(status), 1) << signal;
  }
}

TEST(ProcessTest, ASignalThatStopsIsSeenBeforeItIsWaitedFor) {
  const int status = Elsewhere([] {
    StopSignals stop;
    ::raise(SIGUSR1);
    if (stop.Arrived()) ::_exit(1);
    ::kill(::getpid(), SIGTERM);
    if (!stop.Arrived()) ::_exit(2);
    stop.Wait();
    if (stop.Arrived()) ::_exit(3);
  });
  EXPECT_EQ(status, 0);
}

TEST(ProcessTest, OtherSignalsChangeNothing) {
  const int status = Elsewhere([] {
    const StopSignals stop;
    for (const int signal : {SIGPIPE, SIGXFSZ, SIGUSR1, SIGUSR2}) ::raise(signal);
  });
  EXPECT_EQ(status, 0);
}

TEST(ProcessTest, AHangUpThatWasIgnoredStaysIgnored) {
  const int status = Elsewhere([] {
    ::signal(SIGHUP, SIG_IGN);  // as nohup does
    StopSignals stop;
    ::raise(SIGHUP);
    ::raise(SIGTERM);
    stop.Wait();
    stop.ExitAtTheNext();
    ::raise(SIGHUP);
  });
  EXPECT_EQ(status, 0);
}

TEST(ProcessTest, NewFilesArePrivate) {
  const int status = Elsewhere([] {
    ::umask(0);
    KeepNewFilesPrivate();
    ::_exit(::umask(0) == 077 ? 0 : 1);
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace kwta::server
