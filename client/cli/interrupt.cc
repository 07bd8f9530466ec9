#include "client/cli/interrupt.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "core/base/utf8.h"

namespace kwta::client::cli {
namespace {

// A signal handler can reach only plain memory like this, written before the handler is installed.
char g_notice[1024];
size_t g_notice_length;
int g_exit_code;

extern "C" void PrintAndExit(int) {
  // Nothing can be done if this fails.
  const ssize_t written = write(STDERR_FILENO, g_notice, g_notice_length);
  (void)written;
  _exit(g_exit_code);
}

std::atomic<bool> g_interrupted{false};

extern "C" void SetInterrupted(int) { g_interrupted.store(true); }

}  // namespace

InterruptNotice::InterruptNotice(const std::string& notice, int exit_code) {
  const std::string text = ToPrintable(notice);
  g_notice_length = std::min(text.size(), sizeof(g_notice));
  std::memcpy(g_notice, text.data(), g_notice_length);
  g_exit_code = exit_code;
  struct sigaction action {};
  action.sa_handler = PrintAndExit;
  sigaction(SIGINT, &action, &previous_);
}

InterruptNotice::~InterruptNotice() { sigaction(SIGINT, &previous_, nullptr); }

InterruptFlag::InterruptFlag() {
  g_interrupted.store(false);
  struct sigaction action {};
  action.sa_handler = SetInterrupted;
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, &previous_);
}

InterruptFlag::~InterruptFlag() { sigaction(SIGINT, &previous_, nullptr); }

const std::atomic<bool>* InterruptFlag::get() const { return &g_interrupted; }

}  // namespace kwta::client::cli
