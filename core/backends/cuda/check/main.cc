// kwta-backend-check: checks the CUDA backend on this machine's device, and measures it.
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string_view>

#include "core/backends/backend_registry.h"
#include "core/backends/cuda/check/backend_check.h"

namespace {

// Whoever carries the check to a device has it for minutes.
constexpr unsigned kMostSeconds = 300;

void EndLate(int) {
  constexpr std::string_view kMessage = "kwta-backend-check: not done after five minutes\n";
  const ssize_t written = write(STDERR_FILENO, kMessage.data(), kMessage.size());
  _exit(written < 0 ? 3 : 2);
}

}  // namespace

int main() {
  std::signal(SIGALRM, EndLate);
  alarm(kMostSeconds);
  const auto backend = kwta::CreateBackend("cuda", kwta::BackendOptions());
  if (!backend.ok()) {
    std::cerr << "kwta-backend-check: nothing is checked: " << backend.status().message() << "\n";
    return 1;
  }
  const absl::StatusOr<int64_t> wrong = kwta::cuda::CheckBackend(**backend, {}, std::cout);
  if (!wrong.ok()) std::cerr << "kwta-backend-check: " << wrong.status().message() << "\n";
  return wrong.ok() && *wrong == 0 ? 0 : 1;
}
