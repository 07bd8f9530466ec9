// The program's output streams.
#pragma once

#include <memory>
#include <streambuf>
#include <string>

#include "absl/status/status.h"

namespace kwta::client::cli {

// While it exists, std::cout and std::cerr pass through it. Output may contain text from servers, files and other
// callers, so it is made valid UTF-8, and control characters are written as \u001b, so that no name drives the terminal
// (core/base/utf8.h). Only LiveLine moves the cursor. At most one may exist at a time.
class StandardStreams {
 public:
  // Opens each of descriptors 0, 1 and 2 that is closed, so that no connection gets its number. Makes writes to files
  // that may not grow (ulimit -f) return an error instead of raising a signal.
  StandardStreams();
  ~StandardStreams();
  StandardStreams(const StandardStreams&) = delete;
  StandardStreams& operator=(const StandardStreams&) = delete;

  // Writes the remaining output. Errors: UNAVAILABLE or another error of core/files/files.h if some output did not
  // reach standard output, as on a full disk. std::cout is bad from the first failure on.
  absl::Status Finish();

 private:
  class Buffer;
  const std::unique_ptr<Buffer> out_, error_;
  std::streambuf *const previous_out_, *const previous_error_;
};

}  // namespace kwta::client::cli
