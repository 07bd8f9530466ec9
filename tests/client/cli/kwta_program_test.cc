// Exit codes and messages of the real program.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/client/cli/program.h"
#include "tests/client/fake_server.h"

namespace kwta::client {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A port that refuses connections for as long as this lives: bound, not listened on.
class DeadPort {
 public:
  DeadPort() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
  }
  ~DeadPort() { close(socket_); }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  int socket_;
  int port_ = 0;
};

v1::Job JobThat(v1::JobState state, const std::string& error = "") {
  v1::Job job;
  job.set_id("j");
  job.set_state(state);
  if (!error.empty()) job.mutable_error()->set_message(error);
  return job;
}

std::vector<v1::JobEvent> EndingWith(v1::JobState state) {
  std::vector<v1::JobEvent> events(2);
  events[0].set_sequence(1);
  events[0].set_state(v1::JOB_STATE_RUNNING);
  events[0].mutable_progress()->set_epochs_done(1);
  events[0].mutable_progress()->set_epochs(2);
  events[1].set_sequence(2);
  events[1].set_state(state);
  return events;
}

TEST(KwtaProgram, HelpIsSuccess) {
  Program run({"--help"});
  EXPECT_EQ(run.Wait(), 0);
  EXPECT_THAT(run.out(), AllOf(HasSubstr("Exit codes"), HasSubstr("kwta train --model")));
}

TEST(KwtaProgram, EveryCommandHasExamples) {
  for (const char* command :
       {"train", "encode", "evaluate", "status", "jobs", "watch", "cancel", "models", "delete", "upload", "datasets"}) {
    Program run({command, "--help"});
    EXPECT_EQ(run.Wait(), 0) << command;
    EXPECT_THAT(run.out(), HasSubstr(absl::StrCat("  kwta ", command))) << command;
  }
}

TEST(KwtaProgram, WrongUsageIsTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"dance"},
      {"status", "--colour"},
      {"train", "--model", "m"},
      {"encode", "--model", "m", "--output", "a.npz"},
      {"encode", "--model", "m", "--data", "fashion-mnist", "--alpha", "2", "--k", "3", "--output", "a.npz"},
      {"encode", "--model", "m", "--data", "fashion-mnist", "--output", "codes.csv"},
      {"--timeout", "0", "status"}};
  for (const auto& arguments : wrong) {
    Program run(arguments);
    EXPECT_EQ(run.Wait(), 2) << testing::PrintToString(arguments);
    EXPECT_THAT(run.error(), StartsWith("kwta: "));
    EXPECT_THAT(run.out(), IsEmpty());
  }
}

TEST(KwtaProgram, UnreachableServerIsFourAndSaysHowToStartOne) {
  const DeadPort port;
  for (const char* command : {"status", "jobs", "models"}) {
    Program run({"--server", port.address(), command});
    EXPECT_EQ(run.Wait(), 4) << command;
    EXPECT_THAT(run.error(), AllOf(StartsWith("kwta: the server at " + port.address()), HasSubstr("'kwta-server'")));
  }
}

TEST(KwtaProgram, WatchingAnUnreachableServerIsFour) {
  const DeadPort port;
  Program run({"watch", "j", "--server", port.address()});
  EXPECT_EQ(run.Wait(), 4);
}

TEST(KwtaProgram, TheServersErrorIsOne) {
  FakeServer server;
  server.FailNext({absl::NotFoundError("no job 'j'")});
  Program run({"--server", server.address(), "watch", "j"});
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_EQ(run.error(), "kwta: no job 'j' (NOT_FOUND)\n");
}

TEST(KwtaProgram, AMissingFileIsOneBeforeTheServerIsAsked) {
  FakeServer server;
  Program run({"--server", server.address(), "encode", "--model", "m", "--data", "no-such-data", "--output", "a.npz"});
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.error(), HasSubstr("no-such-data"));
  EXPECT_EQ(server.calls(), 0);
}

TEST(KwtaProgram, WatchPrintsPlainLinesAndSucceeds) {
  FakeServer server;
  server.SetJob(JobThat(v1::JOB_STATE_SUCCEEDED), EndingWith(v1::JOB_STATE_SUCCEEDED));
  Program run({"--server", server.address(), "watch", "j"});
  EXPECT_EQ(run.Wait(), 0);
  EXPECT_THAT(run.out(), AllOf(HasSubstr("epoch 1/2"), HasSubstr("succeeded")));
}

TEST(KwtaProgram, WatchPrintsAnObjectALineAsJson) {
  FakeServer server;
  server.SetJob(JobThat(v1::JOB_STATE_SUCCEEDED), EndingWith(v1::JOB_STATE_SUCCEEDED));
  Program run({"watch", "j", "--json", "--server", server.address()});
  EXPECT_EQ(run.Wait(), 0);
  const std::string out = run.out();
  EXPECT_THAT(out, AllOf(StartsWith(R"({"event": {"sequence":"1")"), HasSubstr("\n{\"job\": {\"id\":\"j\"")));
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 3);
}

TEST(KwtaProgram, AFailedJobIsThree) {
  FakeServer server;
  server.SetJob(JobThat(v1::JOB_STATE_FAILED, "diverged in epoch 3"), EndingWith(v1::JOB_STATE_FAILED));
  Program run({"--server", server.address(), "watch", "j"});
  EXPECT_EQ(run.Wait(), 3);
  EXPECT_EQ(run.error(), "kwta: job j failed: diverged in epoch 3\n");
}

TEST(KwtaProgram, ACancelledJobIsThree) {
  FakeServer server;
  server.SetJob(JobThat(v1::JOB_STATE_CANCELLED), EndingWith(v1::JOB_STATE_CANCELLED));
  Program run({"--server", server.address(), "watch", "j"});
  EXPECT_EQ(run.Wait(), 3);
  EXPECT_EQ(run.error(), "kwta: job j was cancelled\n");
}

TEST(KwtaProgram, InterruptedWatchIs130AndSaysHowToReturn) {
  FakeServer server;
  server.Hang();
  Program run({"--server", server.address(), "watch", "j"});
  server.AwaitWatch();
  kill(run.pid(), SIGINT);
  EXPECT_EQ(run.Wait(), 130);
  EXPECT_THAT(run.error(), HasSubstr(absl::StrCat("kwta --server ", server.address(), " watch j")));
}

TEST(KwtaProgram, TakesTheServerFromTheEnvironment) {
  FakeServer server;
  setenv("KWTA_SERVER", server.address().c_str(), 1);
  Program run({"status"});
  EXPECT_EQ(run.Wait(), 0);
  unsetenv("KWTA_SERVER");
  EXPECT_THAT(run.out(), HasSubstr("kwta-server fake at " + server.address()));
}

}  // namespace
}  // namespace kwta::client
