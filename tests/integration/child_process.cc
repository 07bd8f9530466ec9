#include "tests/integration/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "gtest/gtest.h"

namespace kwta::testing {
namespace {

[[noreturn]] void Exec(const std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  execv(pointers[0], pointers.data());
  _exit(127);
}

std::string ReadToEnd(int descriptor) {
  std::string all;
  char block[4096];
  ssize_t count;
  while ((count = read(descriptor, block, sizeof(block))) > 0) all.append(block, static_cast<size_t>(count));
  return all;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& argv, const std::string& output_prefix, std::string* ready,
                           const std::vector<std::string>& environment)
    : output_prefix_(output_prefix) {
  int ready_pipe[2] = {-1, -1};
  std::vector<std::string> arguments = argv;
  if (ready != nullptr) {
    if (pipe2(ready_pipe, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    arguments.insert(arguments.end(), {"--ready-fd", std::to_string(ready_pipe[1])});
  }
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    for (const std::string& setting : environment) putenv(const_cast<char*>(setting.c_str()));
    const int null = open("/dev/null", O_RDONLY);
    const int out = open((output_prefix + ".out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int err = open((output_prefix + ".err").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    // Nothing else of the test's is the child's business.
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    if (ready != nullptr) fcntl(ready_pipe[1], F_SETFD, 0);
    Exec(arguments);
  }
  if (ready != nullptr) {
    close(ready_pipe[1]);
    *ready = ReadToEnd(ready_pipe[0]);
    close(ready_pipe[0]);
  }
}

ChildProcess::~ChildProcess() {
  if (reaped_) return;
  kill(pid_, SIGKILL);
  Wait();
}

void ChildProcess::Signal(int number) const {
  if (!reaped_) kill(pid_, number);
}

int ChildProcess::Wait() {
  if (!reaped_) {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    result_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
  }
  return result_;
}

std::string ChildProcess::Stdout() const { return ReadWholeFile(output_prefix_ + ".out"); }
std::string ChildProcess::Stderr() const { return ReadWholeFile(output_prefix_ + ".err"); }

ProgramResult RunProgram(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
  const std::string directory = MakeTemporaryDirectory();
  ChildProcess process(argv, directory + "/program", nullptr, environment);
  const int exit_code = process.Wait();
  return {exit_code, process.Stdout(), process.Stderr()};
}

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(parent) + "/task")) {
    std::ifstream file(task.path() / "children");
    for (pid_t child; file >> child;) children.push_back(child);
  }
  return children;
}

std::string ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string MakeTemporaryDirectory() {
  std::string name = ::testing::TempDir() + "kwta-integration-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  return name;
}

}  // namespace kwta::testing
