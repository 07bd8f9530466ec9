// Keeps a ModelManager up to date with what others put into its directory.
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

// Looks when something happens in the directory, and in any case every `poll`. Lives on a thread of its own.
class ModelFollower {
 public:
  // `failed` is told, on that thread, when looking fails, once for each new reason. REQUIRES: models outlives it.
  static absl::StatusOr<std::unique_ptr<ModelFollower>> Start(const std::string& directory, absl::Duration poll,
                                                              ModelManager* models,
                                                              std::function<void(const absl::Status&)> failed);
  // Waits for a load that is under way.
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
