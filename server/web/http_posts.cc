#include "server/web/http_posts.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace kwta::server {

HttpPosts::HttpPosts() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

HttpPosts::~HttpPosts() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void HttpPosts::Post(std::function<void()> function) {
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    waiting_.push_back(std::move(function));
    if (waiting_.size() > 1) return;  // woken already
  }
  const uint64_t one = 1;
  // A failure means that the counter is full: the thread is awake.
  [[maybe_unused]] const ssize_t written = ::write(descriptor_, &one, sizeof(one));
}

void HttpPosts::Run() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(descriptor_, &count, sizeof(count));
  std::vector<std::function<void()>> taken_functions;
  {
    absl::MutexLock lock(&mutex_);
    taken_functions.swap(waiting_);
  }
  for (const std::function<void()>& function : taken_functions) function();
}

void HttpPosts::Close() {
  std::vector<std::function<void()>> dropped;  // destroyed without the lock
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  dropped.swap(waiting_);
}

}  // namespace kwta::server
