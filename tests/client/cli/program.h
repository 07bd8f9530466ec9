// A run of the real program kwta.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/temporary_directory.h"

namespace kwta::client {

// Its standard output and error go to files.
class Program {
 public:
  // `prepare` runs in the new process before the program does, after the files are opened: it may set variables, limits
  // and descriptors.
  explicit Program(
      std::vector<std::string> arguments, const std::function<void()>& prepare = [] {});

  pid_t pid() const { return pid_; }
  // Waits for the end. The exit code, or -1 if a signal killed it.
  int Wait();
  std::string out() const { return Read(out_file_); }
  std::string error() const { return Read(error_file_); }

 private:
  static std::string Read(const std::string& path);

  const TemporaryDirectory directory_;
  const std::string out_file_ = directory_.File("out"), error_file_ = directory_.File("err");
  pid_t pid_;
};

}  // namespace kwta::client
