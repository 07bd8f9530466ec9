// Tries on a connection of its own whether the functions that take the place of gRPC's are called. Private to
// connection_watch.cc.
#pragma once

#include <atomic>
#include <functional>
#include <memory>

#include "absl/status/status.h"

namespace kwta::server {

// What the functions noticed of the connection of the trial.
struct WatchTrial {
  std::atomic<int> reads{0};
  std::atomic<int> calls_begun{0}, calls_ended{0};
  std::atomic<bool> over{false};  // the connection
};

// Another build of the library may have the same functions and not call them, because its compiler has put them where
// they are used. Counts would then only grow, and honest connections would be ended. Has a gRPC server of its own serve
// a connection with one call; takes a few milliseconds. `expect` is called with the descriptor before gRPC gets it, and
// has the functions count into the trial. Errors: FAILED_PRECONDITION, which says what was not noticed; UNAVAILABLE (no
// descriptors).
absl::Status TryWatch(const std::function<void(int descriptor, const std::shared_ptr<WatchTrial>& trial)>& expect);

}  // namespace kwta::server
