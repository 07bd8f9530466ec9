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

  // Whoever has much to post at once says so: the loop is woken once, after all of it. Thread-safe.
  void BeginPosting();
  void EndPosting();

  void Start();
  // Waits until nobody holds the loop any more and ends the thread. REQUIRES: the server has shut down, so that holders
  // come to their end.
  void Finish();

 private:
  void Run();
  void RunPosted();
  void Woken(bool);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddHolds(int more);
  bool NotHeld() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return holds_ == 0; }

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  MemberEvent<CompletionLoop, &CompletionLoop::Woken> woken_{this};
  absl::Mutex mutex_;
  std::vector<std::function<void()>> posted_ ABSL_GUARDED_BY(mutex_);
  int posters_ ABSL_GUARDED_BY(mutex_) = 0;  // between BeginPosting and EndPosting
  int holds_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread::id runner_ ABSL_GUARDED_BY(mutex_);
  bool waking_ ABSL_GUARDED_BY(mutex_) = false;  // the alarm is set and has not rung
  grpc::Alarm alarm_;
  std::thread thread_;
};

}  // namespace kwta::server
