#include "client/cli/terminal/live_line.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>

#include "core/base/utf8.h"

namespace kwta::client::cli {
namespace {

constexpr int kUsualColumns = 80;
constexpr char kClearLine[] = "\r\x1b[K";

}  // namespace

LiveLine::LiveLine(int descriptor) : descriptor_(descriptor), terminal_(isatty(descriptor) != 0) {}

LiveLine::~LiveLine() { Clear(); }

int LiveLine::columns() const {
  if (!terminal_) return 0;
  winsize size{};
  const bool known = ioctl(descriptor_, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return (known ? size.ws_col : kUsualColumns) - 1;
}

void LiveLine::Show(const std::string& text) {
  if (!terminal_) return;
  Write(kClearLine + CutToColumns(ToPrintable(text), columns()));
  open_ = true;
}

void LiveLine::Clear() {
  if (open_) Write(kClearLine);
  open_ = false;
}

void LiveLine::Keep() {
  if (open_) Write("\n");
  open_ = false;
}

void LiveLine::Write(const std::string& text) const {
  // Flush, so that earlier output stays before this line.
  (descriptor_ == STDOUT_FILENO ? std::cout : std::cerr).flush();
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(descriptor_, text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR) return;  // The terminal went away; the last output reports it.
    if (count > 0) written += static_cast<size_t>(count);
  }
}

std::string CutToColumns(const std::string& text, int columns) {
  int characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && ++characters > columns) return text.substr(0, i);
  }
  return text;
}

}  // namespace kwta::client::cli
