#include "client/cli/terminal/live_line.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace kwta::client::cli {
namespace {

TEST(LiveLine, CutsBetweenCharacters) {
  EXPECT_EQ(CutToColumns("abc", 5), "abc");
  EXPECT_EQ(CutToColumns("abc", 3), "abc");
  EXPECT_EQ(CutToColumns("abc", 2), "ab");
  EXPECT_EQ(CutToColumns("caf\xC3\xA9s", 4), "caf\xC3\xA9");
  EXPECT_EQ(CutToColumns("\xE2\x82\xAC\xE2\x82\xAC", 1), "\xE2\x82\xAC");
  EXPECT_EQ(CutToColumns("abc", 0), "");
}

// A terminal of some columns, and what was written to it.
class Terminal {
 public:
  explicit Terminal(unsigned short columns) {
    const winsize size = {24, columns, 0, 0};
    EXPECT_EQ(openpty(&master_, &slave_, nullptr, nullptr, &size), 0);
  }
  ~Terminal() {
    close(slave_);
    close(master_);
  }

  int descriptor() const { return slave_; }
  void Resize(unsigned short columns) const {
    const winsize size = {24, columns, 0, 0};
    EXPECT_EQ(ioctl(slave_, TIOCSWINSZ, &size), 0);
  }
  // The next bytes; waits for so many.
  std::string Read(size_t bytes) const {
    std::string text;
    while (text.size() < bytes) {
      char buffer[256];
      const ssize_t count = read(master_, buffer, std::min(sizeof(buffer), bytes - text.size()));
      if (count <= 0) break;
      text.append(buffer, static_cast<size_t>(count));
    }
    return text;
  }

 private:
  int master_ = -1, slave_ = -1;
};

constexpr char kCleared[] = "\r\x1b[K";

TEST(LiveLine, IsCutToTheWindowAsItIsNow) {
  const Terminal terminal(10);
  LiveLine line(terminal.descriptor());
  ASSERT_TRUE(line.on_terminal());
  EXPECT_EQ(line.columns(), 9);
  line.Show("0123456789");
  EXPECT_EQ(terminal.Read(13), kCleared + std::string("012345678"));
  terminal.Resize(5);
  line.Show("0123456789");
  EXPECT_EQ(terminal.Read(8), kCleared + std::string("0123"));
}

TEST(LiveLine, LeavesAnEmptyLineOrItsText) {
  const Terminal terminal(80);
  LiveLine line(terminal.descriptor());
  line.Show("a\x1b[31m");
  EXPECT_EQ(terminal.Read(15), kCleared + std::string("a\\u001b[31m"));
  line.Clear();
  line.Clear();
  line.Show("b");
  EXPECT_EQ(terminal.Read(9), kCleared + std::string(kCleared) + "b") << "cleared once";
  line.Keep();
  EXPECT_EQ(terminal.Read(2), "\r\n");
}

TEST(LiveLine, IsNothingWithoutATerminal) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    LiveLine line(ends[1]);
    EXPECT_FALSE(line.on_terminal());
    EXPECT_EQ(line.columns(), 0);
    line.Show("text");
    line.Keep();
  }
  close(ends[1]);
  char byte;
  EXPECT_EQ(read(ends[0], &byte, 1), 0);
  close(ends[0]);
}

}  // namespace
}  // namespace kwta::client::cli
