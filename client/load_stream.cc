#include "client/load_stream.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/connection.h"
#include "client/grpc_status.h"
#include "core/base/status_macros.h"
#include "kwta/v1/service.grpc.pb.h"

namespace kwta::client {
namespace {

// One stream: a thread that writes while fewer than `window` messages are unanswered, a thread that reads.
class LoadedStream {
 public:
  LoadedStream(const Options& server, const LoadOptions& options, const std::vector<v1::EncodeRequest>& requests,
               int window, absl::Time start)
      : options_(options),
        window_(static_cast<size_t>(window)),
        counted_from_(start + options.warm_up),
        end_(counted_from_ + options.duration),
        stub_(v1::EncoderService::NewStub(CreateChannel(server, /*own_connection=*/true))) {
    Connection::SetDeadline(end_ + options.deadline, &context_);
    stream_ = stub_->EncodeStream(&context_);
    for (const v1::EncodeRequest& request : requests) {
      messages_.emplace_back();
      *messages_.back().mutable_request() = request;
    }
    writer_ = std::thread([this] { WriteAll(); });
    reader_ = std::thread([this] { ReadAll(); });
  }

  // Waits for the stream's end.
  absl::StatusOr<LoadReport> Finish() {
    writer_.join();
    reader_.join();
    KWTA_RETURN_IF_ERROR(FromGrpcUncancelled(stream_->Finish()));
    return std::move(report_);
  }

 private:
  bool Over(absl::Time now) const {
    return now >= end_ || (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed));
  }
  bool MayWrite() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return ended_ || written_.size() < window_; }

  void WriteAll() {
    for (size_t next = 0;; ++next) {
      bool more;
      const absl::Time now = absl::Now();
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &LoadedStream::MayWrite));
        if (ended_) break;
        written_.push_back(absl::Now());
        more = written_.size() < window_;
      }
      if (Over(now)) {
        absl::MutexLock lock(&mutex_);
        written_.pop_back();
        break;
      }
      grpc::WriteOptions write;
      // Another follows at once.
      if (more) write.set_buffer_hint();
      if (!stream_->Write(messages_[next % messages_.size()], write)) break;
    }
    stream_->WritesDone();
  }

  void ReadAll() {
    v1::EncodeStreamResponse answer;
    while (stream_->Read(&answer)) {
      absl::Time written;
      {
        absl::MutexLock lock(&mutex_);
        written = written_.front();
        written_.pop_front();
      }
      if (written < counted_from_ || written >= end_) continue;
      const auto code = static_cast<absl::StatusCode>(answer.error().code());
      const absl::Duration latency = absl::Now() - written;
      ++report_.due;
      ++report_.answers[code];
      if (code == absl::StatusCode::kOk) report_.accepted.Add(latency);
      if (code == absl::StatusCode::kResourceExhausted) report_.refused.Add(latency);
      if (code != absl::StatusCode::kOk && report_.first_error.empty()) report_.first_error = answer.error().message();
    }
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }

  const LoadOptions& options_;
  const size_t window_;
  const absl::Time counted_from_, end_;
  const std::unique_ptr<v1::EncoderService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::EncodeStreamRequest, v1::EncodeStreamResponse>> stream_;
  std::vector<v1::EncodeStreamRequest> messages_;
  std::thread writer_, reader_;
  LoadReport report_;  // the reader's until it ends
  absl::Mutex mutex_;
  std::deque<absl::Time> written_ ABSL_GUARDED_BY(mutex_);  // when each unanswered message was written
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

absl::StatusOr<LoadReport> LoadStreams(const Options& server, const LoadOptions& options,
                                       const std::vector<v1::EncodeRequest>& requests) {
  const absl::Time start = absl::Now();
  const int window = std::max(1, options.outstanding / options.connections);
  std::vector<std::unique_ptr<LoadedStream>> streams;
  streams.reserve(static_cast<size_t>(options.connections));
  for (int i = 0; i < options.connections; ++i) {
    streams.push_back(std::make_unique<LoadedStream>(server, options, requests, window, start));
  }
  LoadReport whole;
  absl::Status status;
  for (const std::unique_ptr<LoadedStream>& stream : streams) {
    const absl::StatusOr<LoadReport> part = stream->Finish();
    status.Update(part.status());
    if (part.ok()) whole.Merge(*part);
  }
  KWTA_RETURN_IF_ERROR(status);
  whole.elapsed = std::max(std::min(absl::Now(), start + options.warm_up + options.duration) - start - options.warm_up,
                           absl::Nanoseconds(1));
  return whole;
}

}  // namespace kwta::client
