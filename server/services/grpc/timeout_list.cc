#include "server/services/grpc/timeout_list.h"

namespace kwta::server {

void TimeoutList::Entry::Start(TimeoutList* list) {
  Stop();
  list_ = list;
  end_ = list->now_() + list->patience_;
  before_ = list->last_;
  (before_ != nullptr ? before_->after_ : list->first_) = this;
  list->last_ = this;
}

void TimeoutList::Entry::Stop() {
  if (list_ == nullptr) return;
  (before_ != nullptr ? before_->after_ : list_->first_) = after_;
  (after_ != nullptr ? after_->before_ : list_->last_) = before_;
  before_ = after_ = nullptr;
  list_ = nullptr;
}

void TimeoutList::Expire() {
  const SteadyTime now = now_();
  while (first_ != nullptr && first_->end_ <= now) {
    Entry* entry = first_;
    entry->Stop();
    entry->expired_();
  }
}

}  // namespace kwta::server
