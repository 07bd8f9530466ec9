// kwta-backend-check: checks the CUDA backend on this machine's device, and measures it.
#include <cstdio>
#include <iostream>

#include "core/backends/backend_registry.h"
#include "core/backends/cuda/check/backend_check.h"

int main() {
  const auto backend = kwta::CreateBackend("cuda", kwta::BackendOptions());
  if (!backend.ok()) {
    std::cerr << "kwta-backend-check: " << backend.status().message() << "\n";
    return 1;
  }
  const absl::StatusOr<int64_t> wrong = kwta::cuda::CheckBackend(**backend, {}, std::cout);
  if (!wrong.ok()) std::cerr << "kwta-backend-check: " << wrong.status().message() << "\n";
  return wrong.ok() && *wrong == 0 ? 0 : 1;
}
