// A line of a terminal that is written over and over.
#pragma once

#include <string>

namespace kwta::client::cli {

// On standard output or standard error; does nothing where that is no terminal. What else is printed meanwhile must
// come after Clear or Keep. Not thread-safe.
class LiveLine {
 public:
  // STDOUT_FILENO or STDERR_FILENO.
  explicit LiveLine(int descriptor);
  // Clears.
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  bool on_terminal() const { return terminal_; }
  // Characters that fit beside each other now, as windows change: one less than there are columns, since a full line
  // wraps on some terminals. 0 if there is no terminal.
  int columns() const;

  // Shows `text` instead of what the line showed, cut to the columns.
  void Show(const std::string& text);
  // Leaves an empty line.
  void Clear();
  // Leaves the text and goes to the next line.
  void Keep();

 private:
  void Write(const std::string& text) const;

  const int descriptor_;
  const bool terminal_;
  bool open_ = false;
};

// The first `columns` characters of UTF-8 text.
std::string CutToColumns(const std::string& text, int columns);

}  // namespace kwta::client::cli
