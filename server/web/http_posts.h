// Functions that other threads have the HTTP port's thread run.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta::server {

// Thread-safe.
class HttpPosts {
 public:
  HttpPosts();  // opened() says whether the system had a descriptor left
  ~HttpPosts();
  HttpPosts(const HttpPosts&) = delete;
  HttpPosts& operator=(const HttpPosts&) = delete;

  bool opened() const { return descriptor_ >= 0; }
  // Becomes readable when there is something to run.
  int descriptor() const { return descriptor_; }

  // Runs `function` soon on the thread that calls Run. Drops it after Close.
  void Post(std::function<void()> function);

  // The calling thread is the port's from now on.
  void BelongToThisThread() { owner_ = std::this_thread::get_id(); }
  bool OnOwnThread() const { return owner_.load() == std::this_thread::get_id(); }
  void Run();
  void Close();

 private:
  const int descriptor_;
  std::atomic<std::thread::id> owner_{};
  absl::Mutex mutex_;
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kwta::server
