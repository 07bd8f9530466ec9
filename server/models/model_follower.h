// Keeps a ModelManager up to date with what others change in its directory.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/models/directory_watch.h"
#include "server/models/model_manager.h"

namespace kwta::server {

// Looks when something happens in the directory, and at least every `poll`. Runs on its own thread.
class ModelFollower {
 public:
  // Calls `failed` on that thread when a look fails, once for each new reason. REQUIRES: models outlives the follower.
  static absl::StatusOr<std::unique_ptr<ModelFollower>> Start(const std::string& directory, absl::Duration poll,
                                                              ModelManager* models,
                                                              std::function<void(const absl::Status&)> failed);
  // Waits for a load in progress.
  ~ModelFollower();

 private:
  ModelFollower(std::unique_ptr<DirectoryWatch> watch, absl::Duration poll, ModelManager* models,
                std::function<void(const absl::Status&)> failed);
  void Run();

  const std::unique_ptr<DirectoryWatch> watch_;
  const absl::Duration poll_;
  ModelManager* const models_;
  const std::function<void(const absl::Status&)> failed_;
  std::thread thread_;
};

}  // namespace kwta::server
