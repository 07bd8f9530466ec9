#include "server/services/grpc/completion_loop.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace kwta::server {
namespace {

// An event whose handler is a function.
class FunctionEvent final : public CompletionEvent {
 public:
  explicit FunctionEvent(std::function<void()> function) : function_(std::move(function)) {}
  void Complete(bool) override { function_(); }

 private:
  const std::function<void()> function_;
};

class CompletionLoopTest : public ::testing::Test {
 protected:
  enum class Way { kNone, kRun, kHandOver };

  CompletionLoopTest() {
    grpc::ServerBuilder builder;
    loop_ = std::make_unique<CompletionLoop>(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    loop_->Leave({[this] { thread_ = std::this_thread::get_id(); }, [this] { return left_; },
                  [this] { Done(Way::kRun); }, [this] { Done(Way::kHandOver); }});
  }

  ~CompletionLoopTest() override { Stop(); }

  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown();
    loop_->Finish();
    server_.reset();
  }

  void Done(Way way) {
    EXPECT_EQ(std::this_thread::get_id(), thread_);
    left_ = false;
    way_ = way;
    done_.Notify();
  }

  // Has gRPC complete the event in `time`.
  void Complete(FunctionEvent* event, absl::Duration time) {
    alarms_.push_back(std::make_unique<grpc::Alarm>());
    alarms_.back()->Set(loop_->queue(), absl::ToChronoTime(absl::Now() + time), event);
  }

  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<CompletionLoop> loop_;
  std::vector<std::unique_ptr<grpc::Alarm>> alarms_;
  std::unique_ptr<FunctionEvent> again_;
  std::thread::id thread_;
  bool left_ = false;  // used on the loop's thread
  Way way_ = Way::kNone;
  absl::Notification done_;
};

TEST_F(CompletionLoopTest, AnIdleLoopDoesLeftWorkItself) {
  FunctionEvent leaves([this] { left_ = true; });
  Complete(&leaves, absl::Milliseconds(20));
  loop_->Start();
  done_.WaitForNotification();
  EXPECT_EQ(way_, Way::kRun);
}

TEST_F(CompletionLoopTest, ABusyLoopHandsLeftWorkOver) {
  FunctionEvent leaves([this] { left_ = true; });
  FunctionEvent works([&] {
    Complete(&leaves, absl::ZeroDuration());
    const absl::Time end = absl::Now() + absl::Milliseconds(50);
    while (absl::Now() < end) {
    }
  });
  Complete(&works, absl::ZeroDuration());
  loop_->Start();
  done_.WaitForNotification();
  EXPECT_EQ(way_, Way::kHandOver);
}

TEST_F(CompletionLoopTest, EventsThatKeepComingDoNotKeepLeftWorkWaiting) {
  // The last of these is completed long after left work should have been done.
  constexpr int kEvents = 10'000;
  int completed = 0;
  again_ = std::make_unique<FunctionEvent>([&] {
    left_ = left_ || completed == 0;
    if (++completed < kEvents && way_ == Way::kNone) Complete(again_.get(), absl::ZeroDuration());
  });
  Complete(again_.get(), absl::ZeroDuration());
  loop_->Start();
  done_.WaitForNotification();
  Stop();
  EXPECT_LT(completed, kEvents);
}

}  // namespace
}  // namespace kwta::server
