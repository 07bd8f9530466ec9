// The calls of WatchJob.
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "server/services/grpc/encoder_calls.h"

namespace kwta::server {

// Looks into the journal on a thread, writes what it finds, and looks again when the journal says that the job has
// changed.
class JobWatchers::WatchCall final : public ServedCall {
 public:
  WatchCall(std::unique_ptr<IncomingCall> incoming, JobWatchers* watchers)
      : ServedCall(std::move(incoming)),
        watchers_(*watchers),
        call_(watchers->site_.pipeline, &methods::kWatchJob, &transport()) {}
  ~WatchCall() override { watchers_.watching_.erase(this); }

  void Begin() override {
    const absl::Status admitted = call_.Admit();
    if (!admitted.ok()) return End(admitted);
    body_.Start(watchers_.site_.bodies);
    Read();
  }

  // Ends the call if its caller may not go on. Also looks again if no thread was free for the last look.
  void Check() {
    if (finished() || !following_.has_value()) return;
    if (end_.ok()) end_ = call_.AllowMessage();
    Advance();
  }

 private:
  void OnRead(grpc::ByteBuffer* bytes) override {
    body_.Stop();
    if (bytes == nullptr) return End(absl::InvalidArgumentError("the call ended without a request"));
    const absl::Status parsed = Parse(bytes, &request_);
    if (!parsed.ok()) return End(parsed);
    watchers_.watching_.insert(this);
    // What the journal posts may run after this call was deleted.
    following_.emplace(watchers_.handler_.Follow(request_.job_id(), [this, alive = std::weak_ptr<bool>(alive_)] {
      loop().Post([this, alive] {
        if (alive.expired()) return;
        news_ = true;
        Advance();
      });
    }));
    Advance();
  }

  void Advance() {
    if (finished() || looking_ || writing_) return;
    if (transport().Cancelled() && end_.ok()) end_ = absl::CancelledError("the watcher went away");
    if (!end_.ok()) return End(end_);
    if (!events_.empty()) return WriteFirst();
    if (ended_) return End(absl::OkStatus());
    if (news_) Look();
  }

  void Look() {
    const absl::Status taken = watchers_.site_.quick->Run(call_.caller(), [this] {
      found_ = watchers_.handler_.NewsOf(request_);
      loop().Post([this] { Looked(); });
    });
    looking_ = taken.ok();
    if (looking_) news_ = false;
  }

  void Looked() {
    looking_ = false;
    if (!found_.ok()) {
      end_ = found_.status();
    } else {
      events_.assign(found_->events.begin(), found_->events.end());
      ended_ = found_->ended;
      if (!events_.empty()) news_ = true;  // there may be more
    }
    Advance();
  }

  void WriteFirst() {
    const v1::JobEvent event = std::move(events_.front());
    events_.pop_front();
    request_.set_after_sequence(event.sequence());
    grpc::ByteBuffer bytes;
    end_ = call_.AllowMessage();
    if (end_.ok()) end_ = SerializeMessage(event, &bytes);
    if (!end_.ok()) return End(end_);
    writing_ = true;
    Write(bytes);
  }

  void OnWritten(bool ok) override {
    writing_ = false;
    if (!ok && end_.ok()) end_ = absl::CancelledError("the watcher went away");
    Advance();
  }

  void OnOver() override { Advance(); }

  void End(const absl::Status& status) {
    body_.Stop();
    following_.reset();
    call_.Finish(status);
    Finish(status);
  }

  JobWatchers& watchers_;
  Call call_;
  v1::WatchJobRequest request_;  // with the number of the last event that was written
  std::optional<JobJournal::Following> following_;
  absl::StatusOr<JobJournal::News> found_;  // by the last look
  std::deque<v1::JobEvent> events_;         // to be written
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool news_ = true;      // look again
  bool looking_ = false;  // on a thread
  bool writing_ = false;
  bool ended_ = false;  // the job; nothing comes after events_
  absl::Status end_;    // the error that ends the call
  TimeoutList::Entry body_{[this] { End(BodyTimeoutError(*watchers_.site_.bodies)); }};
};

void JobWatchers::Serve(std::unique_ptr<IncomingCall> incoming) { (new WatchCall(std::move(incoming), this))->Begin(); }

void JobWatchers::CheckCallers() {
  const std::set<WatchCall*> watching = watching_;
  for (WatchCall* call : watching) call->Check();
}

}  // namespace kwta::server
