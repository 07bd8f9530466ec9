// A line of a terminal that is overwritten repeatedly.
#pragma once

#include <string>

namespace kwta::client::cli {

// Writes to standard output or standard error; does nothing if that is not a terminal. Call Clear or Keep before
// printing anything else. Not thread-safe.
class LiveLine {
 public:
  // STDOUT_FILENO or STDERR_FILENO.
  explicit LiveLine(int descriptor);
  // Clears.
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  bool on_terminal() const { return terminal_; }
  // Returns how many characters fit on the line now; the window may change. This is one less than the columns, since a
  // full line wraps on some terminals. 0 if there is no terminal.
  int columns() const;

  // Replaces the shown text with `text`, cut to the columns.
  void Show(const std::string& text);
  // Makes the line empty.
  void Clear();
  // Keeps the text and moves to the next line.
  void Keep();

 private:
  void Write(const std::string& text) const;

  const int descriptor_;
  const bool terminal_;
  bool open_ = false;
};

// Returns the first `columns` characters of UTF-8 text.
std::string CutToColumns(const std::string& text, int columns);

}  // namespace kwta::client::cli
