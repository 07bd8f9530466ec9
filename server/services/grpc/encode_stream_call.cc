// One call of EncodeStream.
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "server/jobs/job_events.h"
#include "server/services/grpc/encode_calls.h"
#include "server/services/grpc/grpc_call.h"

namespace kwta::server {
namespace {

// A stream keeps up to kSpareMessages messages of at most kSmallMessage bytes, with their memory, for reuse after their
// answers, and the memory of one answer for the next. A waiting stream holds nothing else.
constexpr int64_t kSmallMessage = 1 << 13;
constexpr size_t kSpareMessages = 256;

// Reads while fewer than max_stream_messages of its messages are unanswered and they and their answers take less than
// max_stream_bytes, and writes the answers in the order of the messages. So the server stops reading from a client that
// does not read. Exists from the request for a call until its last operation has completed and gRPC has reported that
// the call is over.
class EncodeStreamCall {
 public:
  explicit EncodeStreamCall(const EncodeCallParts* parts) : parts_(*parts) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* queue = parts_.loop->queue();
    parts_.service->RequestEncodeStream(&context_, &stream_, queue, queue, &arrived_);
  }

 private:
  // A message in flight.
  struct Message {
    v1::EncodeStreamRequest request;
    StreamRequest admitted;
    absl::StatusOr<EncodedRows> rows;
    int64_t bytes = 0;  // of the request, and of the codes once they exist
    bool encoded = false;
  };

  void Arrived(bool ok) {
    if (!ok) {
      delete this;
      return;
    }
    new EncodeStreamCall(&parts_);
    call_.emplace(parts_.pipeline, &methods::kEncodeStream, &transport_);
    const absl::Status admitted = call_->Admit();
    if (!admitted.ok()) return Finish(admitted);
    Advance();
  }

  // Starts every operation that can start.
  void Advance() {
    if (!reading_ && !read_all_ && static_cast<int>(messages_.size()) < parts_.max_stream_messages &&
        bytes_ < parts_.max_stream_bytes) {
      reading_ = true;
      next_ = NewMessage();
      stream_.Read(&next_->request, &read_);
    }
    if (writing_ || finished_) return;
    if (broken_) {
      // Nobody reads answers any more, but those in progress must still complete.
      while (!messages_.empty() && messages_.front()->encoded) Recycle(TakeFirst());
    } else if (!messages_.empty() && messages_.front()->encoded) {
      WriteFirst();
      return;
    }
    if (!read_all_ || !messages_.empty()) return;
    if (end_.ok() && transport_.Cancelled()) end_ = absl::CancelledError("the caller went away");
    Finish(end_);
  }

  // Runs after everything posted together with this, so that the answers to the messages of a batch leave together.
  void AdvanceLater() {
    if (std::exchange(will_advance_, true)) return;
    parts_.loop->Post([this] {
      will_advance_ = false;
      Advance();
    });
  }

  void Read(bool ok) {
    reading_ = false;
    if (ok) {
      Begin(std::move(next_));
    } else {
      read_all_ = true;
    }
    Advance();
  }

  void Begin(std::unique_ptr<Message> owned) {
    absl::StatusOr<StreamRequest> admitted = call_->BeginRequest();
    if (!admitted.ok()) {
      end_ = admitted.status();
      read_all_ = true;  // answers in progress still leave
      return;
    }
    messages_.push_back(std::move(owned));
    Message* message = messages_.back().get();
    message->admitted = *std::move(admitted);
    AddBytes(message, static_cast<int64_t>(message->request.ByteSizeLong()));
    const auto done = [this, message](absl::StatusOr<EncodedRows> rows) {
      message->rows = std::move(rows);
      parts_.loop->Post([this, message] {
        message->encoded = true;
        if (message->rows.ok()) AddBytes(message, message->rows->result.bytes());
        AdvanceLater();
      });
    };
    if (!message->admitted.refusal.ok()) return done(message->admitted.refusal);
    parts_.handler->Start(message->request.request(), call_->Context(&message->admitted), done);
  }

  void WriteFirst() {
    std::unique_ptr<Message> message = TakeFirst();
    answer_.set_request_id(message->request.request_id());
    const absl::Status status = EncodeHandler::Finish(message->rows, answer_.mutable_response());
    call_->EndRequest(message->admitted, status);
    if (!status.ok()) *answer_.mutable_error() = ToFailure(status);
    const bool small = message->bytes <= kSmallMessage;
    Recycle(std::move(message));
    grpc::WriteOptions options;
    // If more follows at once, let gRPC send them together. The first answer is not held back: it completes only once
    // it was sent, since the initial metadata goes with it.
    if (answered_any_ && !messages_.empty() && messages_.front()->encoded) options.set_buffer_hint();
    answered_any_ = true;
    writing_ = true;
    stream_.Write(answer_, options, &written_);  // serialises it at once
    if (!small) answer_.Clear();
  }

  std::unique_ptr<Message> NewMessage() {
    if (spare_.empty()) return std::make_unique<Message>();
    std::unique_ptr<Message> message = std::move(spare_.back());
    spare_.pop_back();
    return message;
  }

  std::unique_ptr<Message> TakeFirst() {
    std::unique_ptr<Message> message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }

  void Recycle(std::unique_ptr<Message> message) {
    const int64_t bytes = message->bytes;
    AddBytes(message.get(), -bytes);
    if (bytes > kSmallMessage || spare_.size() >= kSpareMessages) return;
    message->rows = absl::StatusOr<EncodedRows>();  // frees the model too, which may be about to be unloaded
    message->encoded = false;
    spare_.push_back(std::move(message));
  }

  void AddBytes(Message* message, int64_t bytes) {
    message->bytes += bytes;
    bytes_ += bytes;
  }

  void Written(bool ok) {
    writing_ = false;
    broken_ = broken_ || !ok;
    Advance();
  }

  void Finish(const absl::Status& status) {
    finished_ = true;
    read_all_ = true;
    call_->Finish(status);
    stream_.Finish(ToGrpcStatus(status), &answered_);
  }

  void Answered(bool) { Release(); }

  void Over(bool) {
    transport_.Over();
    Release();
  }

  void Release() {
    if (--pending_ == 0) delete this;
  }

  const EncodeCallParts& parts_;
  const CompletionLoop::Hold hold_{parts_.loop};
  MemberEvent<EncodeStreamCall, &EncodeStreamCall::Arrived> arrived_{this};
  MemberEvent<EncodeStreamCall, &EncodeStreamCall::Read> read_{this};
  MemberEvent<EncodeStreamCall, &EncodeStreamCall::Written> written_{this};
  MemberEvent<EncodeStreamCall, &EncodeStreamCall::Answered> answered_{this};
  MemberEvent<EncodeStreamCall, &EncodeStreamCall::Over> over_{this};
  int pending_ = 2;  // for answered_ and over_; the answer is sent only when nothing else is in progress
  grpc::ServerContext context_;
  AsyncGrpcTransport transport_{&context_};
  grpc::ServerAsyncReaderWriter<v1::EncodeStreamResponse, v1::EncodeStreamRequest> stream_{&context_};
  std::optional<Call> call_;                       // set when the call arrives
  std::unique_ptr<Message> next_;                  // being read
  std::deque<std::unique_ptr<Message>> messages_;  // in order of arrival
  std::vector<std::unique_ptr<Message>> spare_;
  int64_t bytes_ = 0;  // of messages_
  v1::EncodeStreamResponse answer_;
  bool reading_ = false, writing_ = false;
  bool will_advance_ = false;
  bool answered_any_ = false;
  bool read_all_ = false;  // no more messages come
  absl::Status end_;       // the status that ends the stream
  bool broken_ = false;    // no more answers can be sent
  bool finished_ = false;
};

}  // namespace

void ListenForEncodeStream(const EncodeCallParts* parts) { new EncodeStreamCall(parts); }

}  // namespace kwta::server
