// Child processes of tests: started, signalled and reaped by id; nothing outlives its object.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace kwta::testing {

// A running program whose standard output and error go to files. Killed and reaped by the destructor.
class ChildProcess {
 public:
  // Starts argv[0]; `environment` holds additional NAME=value settings. If ready is not null, the child writes to the
  // descriptor named by the last argument "--ready-fd N" that is appended, and *ready receives all of it up to its end.
  ChildProcess(const std::vector<std::string>& argv, const std::string& output_prefix, std::string* ready = nullptr,
               const std::vector<std::string>& environment = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  void Signal(int number) const;
  // Waits for the end: the exit status, or minus the number of the signal that killed it.
  int Wait();

  std::string Stdout() const;
  std::string Stderr() const;

 private:
  const std::string output_prefix_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  int result_ = 0;
};

struct ProgramResult {
  int exit_code;
  std::string out;
  std::string err;
};

// Runs a program to its end.
ProgramResult RunProgram(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {});

// Processes whose parent is `parent`.
std::vector<pid_t> ChildrenOf(pid_t parent);

std::string ReadWholeFile(const std::string& path);

// A fresh directory below the test's temporary directory.
std::string MakeTemporaryDirectory();

}  // namespace kwta::testing
