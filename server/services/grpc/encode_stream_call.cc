// One call of EncodeStream.
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "core/base/status_macros.h"
#include "server/jobs/job_events.h"
#include "server/services/grpc/encoder_calls.h"
#include "server/services/grpc/served_call.h"

namespace kwta::server {
namespace {

// A stream keeps up to kSpareMessages messages of at most kSmallMessage bytes, with their memory, for reuse after their
// answers, and the memory of one answer for the next. A waiting stream holds nothing else.
constexpr int64_t kSmallMessage = 1 << 13;
constexpr size_t kSpareMessages = 256;

// Reads while fewer than max_stream_messages of its messages are unanswered and they and their answers take less than
// max_stream_bytes, and writes the answers in the order of the messages. So the server stops reading from a client that
// does not read.
class EncodeStreamCall final : public ServedCall {
 public:
  EncodeStreamCall(std::unique_ptr<IncomingCall> incoming, const EncodeStreamParts* parts)
      : ServedCall(std::move(incoming)),
        parts_(*parts),
        call_(parts->pipeline, &methods::kEncodeStream, &transport()) {}

  void Begin() override {
    const absl::Status admitted = call_.Admit();
    if (!admitted.ok()) return End(admitted);
    Advance();
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

  // Starts every operation that can start.
  void Advance() {
    if (!reading_ && !read_all_ && static_cast<int>(messages_.size()) < parts_.max_stream_messages &&
        bytes_ < parts_.max_stream_bytes) {
      reading_ = true;
      Read();
    }
    if (writing_ || finished()) return;
    if (broken_) {
      // Nobody reads answers any more, but those in progress must still complete.
      while (!messages_.empty() && messages_.front()->encoded) Recycle(TakeFirst());
    } else if (!messages_.empty() && messages_.front()->encoded) {
      WriteFirst();
      return;
    }
    if (!read_all_ || !messages_.empty()) return;
    if (end_.ok() && transport().Cancelled()) end_ = absl::CancelledError("the caller went away");
    End(end_);
  }

  // Runs after everything posted together with this, so that the answers to the messages of a batch leave together.
  void AdvanceLater() {
    if (std::exchange(will_advance_, true)) return;
    loop().Post([this] {
      will_advance_ = false;
      Advance();
    });
  }

  void OnRead(grpc::ByteBuffer* bytes) override {
    reading_ = false;
    if (bytes == nullptr) {
      read_all_ = true;
    } else {
      std::unique_ptr<Message> message = NewMessage();
      const absl::Status parsed = Parse(bytes, &message->request);
      const absl::Status begun = parsed.ok() ? BeginRequest(std::move(message)) : parsed;
      if (!begun.ok()) {
        end_ = begun;
        read_all_ = true;  // answers in progress still leave
      }
    }
    Advance();
  }

  absl::Status BeginRequest(std::unique_ptr<Message> owned) {
    KWTA_ASSIGN_OR_RETURN(StreamRequest admitted, call_.BeginRequest());
    messages_.push_back(std::move(owned));
    Message* message = messages_.back().get();
    message->admitted = std::move(admitted);
    AddBytes(message, static_cast<int64_t>(message->request.ByteSizeLong()));
    const auto done = [this, message](absl::StatusOr<EncodedRows> rows) {
      message->rows = std::move(rows);
      loop().Post([this, message] {
        message->encoded = true;
        if (message->rows.ok()) AddBytes(message, message->rows->result.bytes());
        AdvanceLater();
      });
    };
    if (message->admitted.refusal.ok()) {
      parts_.handler->Start(message->request.request(), call_.Context(&message->admitted), done);
    } else {
      done(message->admitted.refusal);
    }
    return absl::OkStatus();
  }

  void WriteFirst() {
    std::unique_ptr<Message> message = TakeFirst();
    answer_.set_request_id(message->request.request_id());
    const absl::Status status = EncodeHandler::Finish(message->rows, answer_.mutable_response());
    call_.EndRequest(message->admitted, status);
    if (!status.ok()) *answer_.mutable_error() = ToFailure(status);
    const bool small = message->bytes <= kSmallMessage;
    Recycle(std::move(message));
    grpc::WriteOptions options;
    // If more follows at once, let gRPC send them together. The first answer is not held back: it completes only once
    // it was sent, since the initial metadata goes with it.
    if (answered_any_ && !messages_.empty() && messages_.front()->encoded) options.set_buffer_hint();
    answered_any_ = true;
    grpc::ByteBuffer bytes;
    const absl::Status serialized = SerializeMessage(answer_, &bytes);
    if (!small) answer_.Clear();
    if (!serialized.ok()) {
      end_ = serialized;
      read_all_ = broken_ = true;
      return AdvanceLater();
    }
    writing_ = true;
    Write(bytes, options);
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

  void OnWritten(bool ok) override {
    writing_ = false;
    broken_ = broken_ || !ok;
    Advance();
  }

  void End(const absl::Status& status) {
    read_all_ = true;
    call_.Finish(status);
    Finish(status);
  }

  const EncodeStreamParts& parts_;
  Call call_;
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
};

}  // namespace

void ServeEncodeStream(std::unique_ptr<IncomingCall> incoming, const EncodeStreamParts* parts) {
  (new EncodeStreamCall(std::move(incoming), parts))->Begin();
}

}  // namespace kwta::server
