#include "client/load/load_stream.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "client/connection.h"
#include "client/grpc_status.h"
#include "core/base/status_macros.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client {
namespace {

constexpr char kStreamMethod[] = "/kwta.v1.EncoderService/EncodeStream";

// One stream that writes while fewer than `window` messages are unanswered, and always reads. All streams run on one
// thread, and their messages are serialised once, so that the client's own work disturbs little.
class LoadedStream {
 public:
  LoadedStream(const Options& server, const LoadOptions& options, const std::vector<grpc::ByteBuffer>& messages,
               int window, absl::Time start, grpc::CompletionQueue* queue)
      : options_(options),
        messages_(messages),
        window_(static_cast<size_t>(window)),
        counted_from_(start + options.warm_up),
        end_(counted_from_ + options.duration),
        stub_(CreateChannel(server, /*own_connection=*/true)) {
    Connection::SetDeadline(end_ + options.deadline, &context_);
    stream_ = stub_.PrepareCall(&context_, kStreamMethod, queue);
    stream_->StartCall(&started_);
  }

  // An operation of a stream; its address is the operation's tag.
  struct Operation {
    LoadedStream* stream;
    void (LoadedStream::*done)(bool ok);
  };

  // Starts a write if there is room for more unanswered messages. Call this once no event is pending, so that the
  // messages for which answers have made room leave together.
  void Write() {
    if (!started_ok_ || writing_ || no_more_writes_ || unanswered_.size() >= window_) return;
    const absl::Time now = absl::Now();
    writing_ = true;
    if (Over(now)) {
      no_more_writes_ = true;
      stream_->WritesDone(&written_);
      return;
    }
    unanswered_.push_back(now);
    grpc::WriteOptions write;
    // Another message follows at once.
    if (unanswered_.size() < window_) write.set_buffer_hint();
    stream_->Write(messages_[next_++ % messages_.size()], write, &written_);
  }

  bool ended() const { return ended_; }
  // REQUIRES: the stream has ended.
  absl::StatusOr<LoadReport> Report() {
    KWTA_RETURN_IF_ERROR(FromGrpcUncancelled(status_));
    return std::move(report_);
  }

 private:
  bool Over(absl::Time now) const {
    return now >= end_ || (options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed));
  }

  void Started(bool ok) {
    if (!ok) {
      return Finish();
    }
    started_ok_ = true;
    Read();
  }

  void Read() { stream_->Read(&incoming_, &read_); }

  void Written(bool ok) {
    writing_ = false;
    no_more_writes_ = no_more_writes_ || !ok;
    if (read_all_) return Finish();
    Write();
  }

  void WasRead(bool ok) {
    if (!ok || unanswered_.empty()) {
      if (ok) context_.TryCancel();  // an answer without a message
      read_all_ = true;
      if (!writing_) Finish();
      return;
    }
    const absl::Time written = unanswered_.front();
    unanswered_.pop_front();
    if (written >= counted_from_ && written < end_) Count(written);
    Read();
  }

  void Count(absl::Time written) {
    const absl::Duration latency = absl::Now() - written;
    ++report_.due;
    if (!grpc::SerializationTraits<v1::EncodeStreamResponse>::Deserialize(&incoming_, &answer_).ok()) {
      answer_.Clear();
      answer_.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kInternal));
      answer_.mutable_error()->set_message("an answer is no EncodeStreamResponse");
    }
    const auto code = static_cast<absl::StatusCode>(answer_.error().code());
    ++report_.answers[code];
    if (code == absl::StatusCode::kOk) report_.accepted.Add(latency);
    if (code == absl::StatusCode::kResourceExhausted) report_.refused.Add(latency);
    if (code != absl::StatusCode::kOk && report_.first_error.empty()) report_.first_error = answer_.error().message();
  }

  void Finish() { stream_->Finish(&status_, &finished_); }
  void Finished(bool) { ended_ = true; }

  const LoadOptions& options_;
  const std::vector<grpc::ByteBuffer>& messages_;
  const size_t window_;
  const absl::Time counted_from_, end_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_;
  Operation started_{this, &LoadedStream::Started}, written_{this, &LoadedStream::Written};
  Operation read_{this, &LoadedStream::WasRead}, finished_{this, &LoadedStream::Finished};
  grpc::ByteBuffer incoming_;
  v1::EncodeStreamResponse answer_;
  grpc::Status status_;
  LoadReport report_;
  std::deque<absl::Time> unanswered_;  // when each message was written
  size_t next_ = 0;
  bool started_ok_ = false;
  bool writing_ = false, no_more_writes_ = false;
  bool read_all_ = false, ended_ = false;
};

}  // namespace

absl::StatusOr<LoadReport> LoadStreams(const Options& server, const LoadOptions& options,
                                       const std::vector<v1::EncodeRequest>& requests) {
  std::vector<grpc::ByteBuffer> messages;
  messages.reserve(requests.size());
  v1::EncodeStreamRequest message;
  for (const v1::EncodeRequest& request : requests) {
    *message.mutable_request() = request;
    const grpc::Slice slice(message.SerializeAsString());
    messages.emplace_back(&slice, 1);
  }
  grpc::CompletionQueue queue;
  const absl::Time start = absl::Now();
  const int window = std::max(1, options.outstanding / options.connections);
  std::vector<std::unique_ptr<LoadedStream>> streams;
  streams.reserve(static_cast<size_t>(options.connections));
  for (int i = 0; i < options.connections; ++i) {
    streams.push_back(std::make_unique<LoadedStream>(server, options, messages, window, start, &queue));
  }
  void* tag;
  bool ok;
  for (size_t ended = 0; ended < streams.size();) {
    if (queue.AsyncNext(&tag, &ok, gpr_time_0(GPR_CLOCK_MONOTONIC)) == grpc::CompletionQueue::TIMEOUT) {
      for (const std::unique_ptr<LoadedStream>& stream : streams) stream->Write();
      queue.Next(&tag, &ok);
    }
    const auto* operation = static_cast<LoadedStream::Operation*>(tag);
    (operation->stream->*operation->done)(ok);
    ended += operation->stream->ended() ? 1 : 0;
  }
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  LoadReport whole;
  absl::Status status;
  for (const std::unique_ptr<LoadedStream>& stream : streams) {
    const absl::StatusOr<LoadReport> part = stream->Report();
    status.Update(part.status());
    if (part.ok()) whole.Merge(*part);
  }
  KWTA_RETURN_IF_ERROR(status);
  whole.elapsed = std::max(std::min(absl::Now(), start + options.warm_up + options.duration) - start - options.warm_up,
                           absl::Nanoseconds(1));
  return whole;
}

}  // namespace kwta::client
