#include "server/models/model_follower.h"

#include <algorithm>
#include <utility>

#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

// How often to look while a bundle is still being written.
constexpr absl::Duration kUnsettledPoll = absl::Milliseconds(200);

}  // namespace

ModelFollower::ModelFollower(std::unique_ptr<DirectoryWatch> watch, absl::Duration poll, ModelManager* models,
                             std::function<void(const absl::Status&)> failed)
    : watch_(std::move(watch)), poll_(poll), models_(models), failed_(std::move(failed)) {}

absl::StatusOr<std::unique_ptr<ModelFollower>> ModelFollower::Start(const std::string& directory, absl::Duration poll,
                                                                    ModelManager* models,
                                                                    std::function<void(const absl::Status&)> failed) {
  KWTA_ASSIGN_OR_RETURN(std::unique_ptr<DirectoryWatch> watch, DirectoryWatch::Open(directory));
  std::unique_ptr<ModelFollower> follower(new ModelFollower(std::move(watch), poll, models, std::move(failed)));
  follower->thread_ = std::thread([follower = follower.get()] { follower->Run(); });
  return follower;
}

ModelFollower::~ModelFollower() {
  watch_->Stop();
  if (thread_.joinable()) thread_.join();
}

void ModelFollower::Run() {
  absl::Duration wait = absl::ZeroDuration();  // something may have happened since the manager was opened
  absl::Status last;
  while (watch_->Wait(wait)) {
    const absl::StatusOr<bool> unsettled = models_->Rescan(SteadyTime::Now());
    if (!unsettled.ok() && unsettled.status() != last) failed_(unsettled.status());
    last = unsettled.status();
    wait = unsettled.ok() && *unsettled ? std::min(kUnsettledPoll, poll_) : poll_;
  }
}

}  // namespace kwta::server
