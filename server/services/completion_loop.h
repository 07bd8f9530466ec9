// The one thread on which gRPC's asynchronous calls live.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta::server {

// What is told that an operation given to gRPC has completed; its address is the operation's tag.
class CompletionEvent {
 public:
  virtual void Complete(bool ok) = 0;

 protected:
  ~CompletionEvent() = default;
};

// An event that calls a method of its owner.
template <typename Owner, void (Owner::*method)(bool)>
class MemberEvent final : public CompletionEvent {
 public:
  explicit MemberEvent(Owner* owner) : owner_(owner) {}
  void Complete(bool ok) override { (owner_->*method)(ok); }

 private:
  Owner* const owner_;
};

// Events complete and posted functions run one after the other on the loop's thread, so what only they touch needs no
// lock. One queue and one thread: with few cores more of them serve fewer calls.
class CompletionLoop {
 public:
  explicit CompletionLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue) : queue_(std::move(queue)) {}
  // REQUIRES: Finish was called if Start was.
  ~CompletionLoop() = default;

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // Whoever holds one may give gRPC operations and post; Finish waits for it.
  class Hold {
   public:
    explicit Hold(CompletionLoop* loop) : loop_(loop) { loop_->AddHolds(1); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { loop_->AddHolds(-1); }

   private:
    CompletionLoop* const loop_;
  };

  // Runs `function` soon on the loop's thread. Thread-safe. REQUIRES: there is a Hold.
  void Post(std::function<void()> function);

  void Start();
  // Waits until nobody holds the loop any more and ends the thread. REQUIRES: the server has shut down, so that holders
  // come to their end.
  void Finish();

 private:
  void Run();
  void RunPosted(bool ok);
  void AddHolds(int more);
  bool NotHeld() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return holds_ == 0; }

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  MemberEvent<CompletionLoop, &CompletionLoop::RunPosted> posted_event_{this};
  absl::Mutex mutex_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mutex_);
  int holds_ ABSL_GUARDED_BY(mutex_) = 0;
  // Wakes the thread for posted_; set while there is something in it.
  grpc::Alarm alarm_;
  std::thread thread_;
};

}  // namespace kwta::server
