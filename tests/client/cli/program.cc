#include "tests/client/cli/program.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>

namespace kwta::client {

Program::Program(std::vector<std::string> arguments, const std::function<void()>& prepare) {
  arguments.insert(arguments.begin(), KWTA_PROGRAM);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    if (freopen(out_file_.c_str(), "w", stdout) == nullptr) _exit(99);
    if (freopen(error_file_.c_str(), "w", stderr) == nullptr) _exit(99);
    prepare();
    execv(argv[0], argv.data());
    _exit(98);
  }
}

int Program::Wait() {
  int status = 0;
  EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string Program::Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace kwta::client
