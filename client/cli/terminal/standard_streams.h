// What the program prints.
#pragma once

#include <memory>
#include <streambuf>
#include <string>

#include "absl/status/status.h"

namespace kwta::client::cli {

// While it lives, std::cout and std::cerr pass through it. What they are given may come from servers, files and other
// callers: it is made valid UTF-8, and control characters are written as \u001b, so that no name drives the terminal
// (core/base/utf8.h). LiveLine alone moves the cursor. At most one may live at a time.
class StandardStreams {
 public:
  // Opens those of descriptors 0, 1 and 2 that are closed, so that no connection gets their numbers; and has files that
  // may not grow (ulimit -f) give an error instead of a signal.
  StandardStreams();
  ~StandardStreams();
  StandardStreams(const StandardStreams&) = delete;
  StandardStreams& operator=(const StandardStreams&) = delete;

  // Writes what is left. Errors: UNAVAILABLE or another of core/files/files.h if something did not get to standard
  // output, as on a full disk. std::cout is bad from the first failure on.
  absl::Status Finish();

 private:
  class Buffer;
  const std::unique_ptr<Buffer> out_, error_;
  std::streambuf *const previous_out_, *const previous_error_;
};

}  // namespace kwta::client::cli
