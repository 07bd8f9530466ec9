// The one thread that runs gRPC's asynchronous calls.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/steady_time.h"

namespace kwta::server {

// Is told that an operation passed to gRPC has completed. Its address is the operation's tag.
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

// Runs completed events and posted functions one after the other on the loop's thread, so what only they touch needs no
// lock. There is one queue and one thread because, with few cores, more of them serve fewer calls.
class CompletionLoop {
 public:
  explicit CompletionLoop(std::unique_ptr<grpc::ServerCompletionQueue> queue) : queue_(std::move(queue)) {}
  // REQUIRES: Finish was called if Start was.
  ~CompletionLoop() = default;

  grpc::ServerCompletionQueue* queue() { return queue_.get(); }

  // A holder may pass operations to gRPC and post functions; Finish waits for it.
  class Hold {
   public:
    explicit Hold(CompletionLoop* loop) : loop_(loop) { loop_->AddHolds(1); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { loop_->AddHolds(-1); }

   private:
    CompletionLoop* const loop_;
  };

  // Runs `function` soon on the loop's thread. Thread-safe. REQUIRES: the caller has a Hold.
  void Post(std::function<void()> function);

  // Enclose many posts in BeginPosting and EndPosting: the loop then wakes once, after all of them. Thread-safe.
  void BeginPosting();
  void EndPosting();

  // Work that events leave to the loop's thread.
  struct LeftWork {
    std::function<void()> begin;      // called once, first thing on the loop's thread
    std::function<bool()> waits;      // whether there is any
    std::function<void()> run;        // does it on the loop's thread, which has no event and is often idle
    std::function<void()> hand_over;  // gives it to another thread, as the loop's is busy
  };
  // Call before Start.
  void Leave(LeftWork work) { left_ = std::move(work); }

  // Runs `function` on the loop's thread about once a second. Call before Start.
  void EverySecond(std::function<void()> function) { ticks_.push_back(std::move(function)); }

  void Start();
  // Waits until nobody holds the loop, then ends the thread. REQUIRES: the server has shut down, so that holders
  // finish.
  void Finish();

 private:
  void Run();
  grpc::CompletionQueue::NextStatus Next(gpr_timespec deadline);
  void CountWait(SteadyTime begin);
  bool IsOftenIdle() const;
  void RunPosted();
  void Tick();
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
  LeftWork left_;
  // Used on the loop's thread.
  int events_before_left_ = 0;      // since there is left work
  SteadyTime woke_;                 // from the last wait that left work did not cut short
  absl::Duration waited_, worked_;  // of late
  std::vector<std::function<void()>> ticks_;
  SteadyTime next_tick_;  // used on the loop's thread
  grpc::Alarm alarm_;
  std::thread thread_;
};

}  // namespace kwta::server
