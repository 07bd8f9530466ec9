#include "client/cli/terminal/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>

#include "core/base/utf8.h"
#include "core/files/files.h"

namespace kwta::client::cli {
namespace {

constexpr size_t kHeldBytes = 64 << 10;

void OccupyClosedDescriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0 || errno != EBADF) continue;
    // This is the lowest free number, so open returns it. It is opened in the wrong direction, so that reading or
    // writing fails.
    const int opened = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    (void)opened;
  }
}

}  // namespace

// Holds output until there is much of it or it is flushed.
class StandardStreams::Buffer : public std::streambuf {
 public:
  explicit Buffer(int descriptor) : descriptor_(descriptor) {}

  // Error of the first failed write; 0 if none failed.
  int error_number() const { return error_number_; }

 protected:
  int_type overflow(int_type character) override {
    if (traits_type::eq_int_type(character, traits_type::eof())) return traits_type::not_eof(character);
    const char c = traits_type::to_char_type(character);
    return xsputn(&c, 1) == 1 ? character : traits_type::eof();
  }

  std::streamsize xsputn(const char* text, std::streamsize size) override {
    held_.append(text, static_cast<size_t>(size));
    if (held_.size() >= kHeldBytes && sync() != 0) return 0;
    return size;
  }

  int sync() override {
    const std::string text = ToPrintable(held_);
    held_.clear();
    size_t written = 0;
    while (written < text.size() && error_number_ == 0) {
      const ssize_t count = write(descriptor_, text.data() + written, text.size() - written);
      if (count >= 0) {
        written += static_cast<size_t>(count);
      } else if (errno != EINTR) {
        error_number_ = errno;
      }
    }
    return error_number_ == 0 ? 0 : -1;
  }

 private:
  const int descriptor_;
  std::string held_;
  int error_number_ = 0;
};

StandardStreams::StandardStreams()
    : out_(std::make_unique<Buffer>(STDOUT_FILENO)),
      error_(std::make_unique<Buffer>(STDERR_FILENO)),
      previous_out_(std::cout.rdbuf(out_.get())),
      previous_error_(std::cerr.rdbuf(error_.get())) {
  OccupyClosedDescriptors();
  std::signal(SIGXFSZ, SIG_IGN);
}

StandardStreams::~StandardStreams() {
  std::cout.flush();
  std::cout.rdbuf(previous_out_);
  std::cerr.rdbuf(previous_error_);
}

absl::Status StandardStreams::Finish() {
  std::cout.flush();
  const int error = out_->error_number();
  return error == 0 ? absl::OkStatus() : FileError(error, "write", "standard output");
}

}  // namespace kwta::client::cli
