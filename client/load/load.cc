#include "client/load/load.h"

#include <grpcpp/alarm.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/connection.h"
#include "client/grpc_status.h"
#include "client/load/load_stream.h"
#include "client/retry.h"
#include "client/tensor_message.h"
#include "core/base/short_slices.h"
#include "core/base/status_macros.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client {
namespace {

constexpr char kMethod[] = "/kwta.v1.EncoderService/Encode";
constexpr absl::Duration kProgressInterval = absl::Seconds(1);

absl::Status CheckLoadOptions(const LoadOptions& options, const RowsView& rows) {
  if (!(options.rate >= 0 && options.rate <= 1e7)) {
    return absl::InvalidArgumentError(absl::StrCat("rate is ", options.rate, "; expected 0 .. 10000000 calls/s"));
  }
  if (options.outstanding < 1 || options.outstanding > 100'000) {
    return absl::InvalidArgumentError(absl::StrCat("outstanding is ", options.outstanding, "; expected 1 .. 100000"));
  }
  if (options.connections < 1 || options.connections > 10'000) {
    return absl::InvalidArgumentError(absl::StrCat("connections is ", options.connections, "; expected 1 .. 10000"));
  }
  if (options.rows_per_call < 1 || options.rows_per_call > rows.rows) {
    return absl::InvalidArgumentError(absl::StrCat("rows_per_call is ", options.rows_per_call, "; expected 1 .. ",
                                                   rows.rows, ", the rows there are to send"));
  }
  if (options.stream && options.rate > 0) {
    return absl::InvalidArgumentError("a stream has no rate: leave one of the two out");
  }
  if (options.stream && options.repeat) return absl::InvalidArgumentError("messages of a stream are not repeated");
  if (options.stream && options.empty) return absl::InvalidArgumentError("empty calls have no stream");
  if (options.duration <= absl::ZeroDuration()) return absl::InvalidArgumentError("the duration must be positive");
  return absl::OkStatus();
}

// Builds every different call to send.
absl::StatusOr<std::vector<v1::EncodeRequest>> DifferentCalls(const std::string& model, const RowsView& rows,
                                                              const EncodeSettings& settings, int64_t rows_per_call) {
  constexpr int64_t kMostDifferent = 1024;
  std::vector<v1::EncodeRequest> requests(std::min(rows.rows / rows_per_call, kMostDifferent));
  int64_t begin = 0;
  for (v1::EncodeRequest& request : requests) {
    request.set_model(model);
    request.set_version(settings.version);
    request.set_label(settings.label);
    *request.mutable_options() = settings.options;
    KWTA_RETURN_IF_ERROR(CheckText(request));
    KWTA_RETURN_IF_ERROR(ToMessage(rows.Slice(begin, rows_per_call), request.mutable_input()));
    begin += rows_per_call;
  }
  return requests;
}

// Makes unary calls. One thread takes answers; in a closed loop it also makes the next calls. In an open loop another
// thread makes the calls when they are due.
class LoadRun {
 public:
  LoadRun(const Options& server, const LoadOptions& options, const std::vector<v1::EncodeRequest>& requests)
      : options_(options), retry_(server.retry) {
    // Serialise the requests once, so that the client's own work disturbs little.
    for (const v1::EncodeRequest& request : requests) {
      const grpc::Slice slice(request.SerializeAsString());
      requests_.emplace_back(&slice, 1);
    }
    for (int i = 0; i < options.connections; ++i) {
      stubs_.push_back(std::make_unique<grpc::GenericStub>(CreateChannel(server, /*own_connection=*/true)));
    }
  }

  absl::StatusOr<LoadReport> Run() {
    start_ = absl::Now();
    counted_from_ = start_ + options_.warm_up;
    end_ = counted_from_ + options_.duration;
    // What a call takes must not depend on when a thread of this program gets a processor.
    AskForShortSlices();
    std::thread taker([this] { TakeAnswers(); });
    if (options_.rate > 0) {
      MakeDueCalls();
    } else {
      for (int i = 0; i < options_.outstanding; ++i) {
        Begin();
        Make(std::make_unique<Call>(), absl::Now());
      }
      while (!Over(absl::Now())) {
        absl::SleepFor(absl::Milliseconds(50));
        Progress(absl::Now());
      }
    }
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &LoadRun::NoneUnderWay));
    }
    report_.elapsed = std::max(std::min(absl::Now(), end_) - counted_from_, absl::Nanoseconds(1));
    queue_.Shutdown();
    taker.join();
    return std::move(report_);
  }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer response;
    grpc::Status status;
    absl::Time due, deadline;
    std::unique_ptr<Backoff> backoff;  // once the call has found the server unavailable
    bool pauses = false;               // before it is made again
    grpc::Alarm alarm;                 // the end of the pause
  };

  bool Stopped() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }
  bool Over(absl::Time now) const { return now >= end_ || Stopped(); }
  bool Counts(absl::Time due) const { return due >= counted_from_ && due < end_; }

  // Makes calls when they are due, however slow the answers are, so that tails are not hidden.
  void MakeDueCalls() {
    const absl::Duration interval = absl::Seconds(1) / options_.rate;
    for (int64_t n = 0;; ++n) {
      const absl::Time due = start_ + n * interval;
      absl::Time now = absl::Now();
      if (due > now) {
        absl::SleepFor(due - now);
        now = absl::Now();
      }
      if (due >= end_ || Stopped()) return;  // a call that is due before the end is made, however late
      Progress(now);
      if (Counts(due)) ++report_.due;
      if (Begin()) {
        Make(std::make_unique<Call>(), due);
      } else if (Counts(due)) {
        ++report_.not_made;
      }
    }
  }

  // Takes a place for a call; returns false if all are taken.
  bool Begin() {
    absl::MutexLock lock(&mutex_);
    if (under_way_ >= options_.outstanding) return false;
    ++under_way_;
    return true;
  }
  bool NoneUnderWay() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return under_way_ == 0; }

  void Make(std::unique_ptr<Call> call, absl::Time due) {
    call->due = due;
    call->deadline = absl::Now() + options_.deadline;
    call->backoff.reset();
    Start(std::move(call));
  }

  void Start(std::unique_ptr<Call> call) {
    const uint64_t number = next_++;
    call->context = std::make_unique<grpc::ClientContext>();
    Connection::SetDeadline(call->deadline, call->context.get());
    call->reader = stubs_[number % stubs_.size()]->PrepareUnaryCall(call->context.get(), kMethod,
                                                                    requests_[number % requests_.size()], &queue_);
    call->reader->StartCall();
    Call* const tag = call.release();
    tag->reader->Finish(&tag->response, &tag->status, tag);
  }

  void TakeAnswers() {
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
      std::unique_ptr<Call> call(static_cast<Call*>(tag));
      if (std::exchange(call->pauses, false)) {
        Start(std::move(call));
        continue;
      }
      const absl::Time now = absl::Now();
      if (const std::optional<absl::Time> next = NextAttempt(*call, now)) {
        if (Counts(call->due)) ++report_.repeated;
        call->pauses = true;
        Call* const paused = call.release();
        paused->alarm.Set(&queue_, absl::ToChronoTime(*next), paused);
        continue;
      }
      if (Counts(call->due)) Count(*call, now);
      if (options_.rate == 0 && !Over(now)) {
        Make(std::move(call), now);
        continue;
      }
      absl::MutexLock lock(&mutex_);
      --under_way_;
    }
  }

  // Returns when to make the call again, if at all: as RetryUnavailable does for callers of the library.
  std::optional<absl::Time> NextAttempt(Call& call, absl::Time now) const {
    if (!options_.repeat || !absl::IsUnavailable(FromGrpcUncancelled(call.status)) || Stopped()) return std::nullopt;
    if (call.backoff == nullptr) call.backoff = std::make_unique<Backoff>(retry_);
    if (call.backoff->pauses() + 1 >= retry_.attempts) return std::nullopt;
    const absl::Time next = now + call.backoff->Next();
    return next < call.deadline ? std::optional(next) : std::nullopt;
  }

  void Count(const Call& call, absl::Time now) {
    const auto code = static_cast<absl::StatusCode>(call.status.error_code());
    ++report_.answers[code];
    if (options_.rate == 0) ++report_.due;
    if (code == absl::StatusCode::kOk) {
      report_.accepted.Add(now - call.due);
      return;
    }
    if (report_.first_error.empty()) report_.first_error = call.status.error_message();
    if (code == absl::StatusCode::kResourceExhausted) report_.refused.Add(now - call.due);
  }

  void Progress(absl::Time now) {
    if (!options_.progress || now < next_progress_) return;
    next_progress_ = now + kProgressInterval;
    options_.progress(std::clamp(absl::FDivDuration(now - start_, end_ - start_), 0.0, 1.0));
  }

  const LoadOptions& options_;
  const RetryOptions retry_;
  std::vector<grpc::ByteBuffer> requests_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  grpc::CompletionQueue queue_;
  absl::Time start_, counted_from_, end_;
  absl::Time next_progress_ = absl::InfinitePast();
  // Used by the thread that makes calls: in a closed loop the taker once it runs, else the caller.
  std::atomic<uint64_t> next_{0};
  LoadReport report_;  // the maker sets due and not_made, the taker the rest
  absl::Mutex mutex_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

void LoadReport::Merge(const LoadReport& other) {
  due += other.due;
  not_made += other.not_made;
  repeated += other.repeated;
  for (const auto& [code, count] : other.answers) answers[code] += count;
  if (first_error.empty()) first_error = other.first_error;
  accepted.Merge(other.accepted);
  refused.Merge(other.refused);
}

int64_t LoadReport::ok() const {
  const auto found = answers.find(absl::StatusCode::kOk);
  return found == answers.end() ? 0 : found->second;
}

int64_t LoadReport::faulty() const {
  int64_t sum = 0;
  for (const auto& [code, count] : answers) {
    switch (code) {
      case absl::StatusCode::kOk:
      case absl::StatusCode::kResourceExhausted:
      case absl::StatusCode::kDeadlineExceeded:
      case absl::StatusCode::kUnavailable:
      case absl::StatusCode::kCancelled:  // what a server says in its last moment
        break;
      default:
        sum += count;
    }
  }
  return sum;
}

absl::StatusOr<LoadReport> GenerateLoad(const Options& server, const std::string& model, const RowsView& rows,
                                        const EncodeSettings& settings, const LoadOptions& options) {
  KWTA_RETURN_IF_ERROR(CheckLoadOptions(options, rows));
  KWTA_ASSIGN_OR_RETURN(std::vector<v1::EncodeRequest> requests,
                        DifferentCalls(model, rows, settings, options.rows_per_call));
  if (options.empty) requests.assign(1, v1::EncodeRequest());
  KWTA_RETURN_IF_ERROR(CheckOptions(server));
  if (!CreateChannel(server, /*own_connection=*/false)
           ->WaitForConnected(absl::ToChronoTime(absl::Now() + options.connect_time))) {
    return NotReached(absl::StrCat("no server answers at ", server.address));
  }
  return options.stream ? LoadStreams(server, options, requests) : LoadRun(server, options, requests).Run();
}

}  // namespace kwta::client
