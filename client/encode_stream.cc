// EncodeStream: many requests over one bidirectional stream, driven by the calling thread alone.
#include <grpcpp/completion_queue.h>

#include <deque>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/connection.h"
#include "client/reply_assembler.h"
#include "client/request_sizer.h"
#include "client/tensor_message.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

using OnBatch = std::function<absl::Status(int64_t, EncodeResult)>;

// The state that outlasts a broken stream.
struct Position {
  int64_t answered = 0;  // Rows whose codes were delivered.
  uint64_t version = 0;  // The version to request: the first one that answered, once it did.
  RequestSizer sizer;
  absl::Status refused;  // The error that on_batch returned, if any.
};

// One stream, from the first unanswered row to the end or to its failure. Reads and writes are asynchronous, one of
// each at a time. One queue reports both, so that neither can wait for ever for a server that stalls.
class Stream {
 public:
  Stream(Connection& connection, const std::string& model, const RowSource& source, const EncodeSettings& settings,
         const OnBatch& on_batch, Position* position)
      : connection_(connection),
        source_(source),
        label_(settings.label),
        on_batch_(on_batch),
        patience_(settings.deadline.value_or(connection.options().default_deadline)),
        max_in_flight_(static_cast<size_t>(std::max(settings.max_in_flight, 1))),
        position_(position),
        sent_(position->answered) {
    v1::EncodeRequest* request = outgoing_.mutable_request();
    request->set_model(model);
    *request->mutable_options() = settings.options;
  }

  absl::Status Run() {
    stream_ = connection_.stub().AsyncEncodeStream(&context_, &queue_, Tag(kStart));
    pending_ = 1;
    while (true) {
      if (started_ && error_.ok() && !ended_) Advance();
      if (pending_ == 0) break;
      AwaitOne();
    }
    stream_->Finish(&status_, Tag(kFinish));
    pending_ = 1;
    AwaitOne();
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
    if (!error_.ok()) return error_;
    if (position_->answered == source_.rows) return absl::OkStatus();
    if (status_.ok()) return NotReached("the server ended the stream before it had answered every request");
    return FromGrpcUncancelled(status_);
  }

 private:
  enum Operation { kStart, kWrite, kWritesDone, kRead, kFinish };
  struct Batch {
    uint64_t id;
    int64_t begin, count;
  };
  static void* Tag(Operation operation) { return reinterpret_cast<void*>(static_cast<intptr_t>(operation)); }

  // Starts every operation that can start.
  void Advance() {
    // Until the version is known, send one request at a time, because a result must not mix two versions.
    const size_t window = position_->version == 0 ? 1 : max_in_flight_;
    if (!writing_ && !writes_failed_ && sent_ < source_.rows && in_flight_.size() < window) WriteNext();
    if (!writing_ && !writes_failed_ && !writes_done_ && sent_ == source_.rows && error_.ok()) {
      stream_->WritesDone(Tag(kWritesDone));
      writes_done_ = true;
      ++pending_;
    }
    if (!reading_ && !in_flight_.empty() && error_.ok()) {
      stream_->Read(&incoming_, Tag(kRead));
      reading_ = true;
      ++pending_;
    }
  }

  void WriteNext() {
    const int64_t count = position_->sizer.Next(source_.rows - sent_);
    v1::EncodeRequest* request = outgoing_.mutable_request();
    request->set_version(position_->version);
    request->set_label(position_->version == 0 ? label_ : "");
    const absl::Status status = ToMessage(source_.read(sent_, count), request->mutable_input());
    if (!status.ok()) return Fail(status);
    outgoing_.set_request_id(next_id_);
    in_flight_.push_back({next_id_++, sent_, count});
    sent_ += count;
    stream_->Write(outgoing_, Tag(kWrite));
    writing_ = true;
    ++pending_;
  }

  // Waits for one operation to end, or for the server's time to run out.
  void AwaitOne() {
    void* tag;
    bool ok;
    const auto wait_until = absl::ToChronoTime(absl::Now() + patience_);
    if (queue_.AsyncNext(&tag, &ok, wait_until) == grpc::CompletionQueue::TIMEOUT) {
      Fail(
          absl::DeadlineExceededError(absl::StrCat("no answer from the server for ", absl::FormatDuration(patience_))));
      return;  // Pending operations end now that the call is cancelled.
    }
    --pending_;
    switch (static_cast<Operation>(reinterpret_cast<intptr_t>(tag))) {
      case kStart:
        started_ = ok;
        break;
      case kWrite:
        writing_ = false;
        // If the write failed, the stream is lost, but answers that arrived earlier must still be read: Finish waits
        // for that.
        writes_failed_ = !ok;
        break;
      case kRead:
        reading_ = false;
        ended_ = !ok;
        if (ok && error_.ok()) TakeAnswer();
        break;
      case kWritesDone:
      case kFinish:
        break;
    }
  }

  void TakeAnswer() {
    const Batch batch = in_flight_.front();
    in_flight_.pop_front();
    if (incoming_.request_id() != batch.id) {
      return Fail(absl::InternalError(
          absl::StrCat("the server answered request ", incoming_.request_id(), " instead of ", batch.id)));
    }
    if (incoming_.has_error()) {
      const auto code = static_cast<grpc::StatusCode>(incoming_.error().code());
      return Fail(FromGrpc(grpc::Status(code, incoming_.error().message())));
    }
    position_->sizer.Learn(batch.count, static_cast<int64_t>(incoming_.ByteSizeLong()));
    auto codes = DecodeReply(incoming_.response(), batch.count);
    if (!codes.ok()) return Fail(codes.status());
    position_->version = codes->model_version;
    position_->answered = batch.begin + batch.count;
    position_->refused = on_batch_(batch.begin, *std::move(codes));
    if (!position_->refused.ok()) Fail(position_->refused);
  }

  void Fail(const absl::Status& status) {
    if (error_.ok()) error_ = status;
    context_.TryCancel();
  }

  Connection& connection_;
  const RowSource& source_;
  const std::string label_;
  const OnBatch& on_batch_;
  const absl::Duration patience_;
  const size_t max_in_flight_;
  Position* const position_;

  grpc::CompletionQueue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::EncodeStreamRequest, v1::EncodeStreamResponse>> stream_;
  v1::EncodeStreamRequest outgoing_;
  v1::EncodeStreamResponse incoming_;
  grpc::Status status_;
  absl::Status error_;
  std::deque<Batch> in_flight_;
  int64_t sent_;
  uint64_t next_id_ = 1;
  int pending_ = 0;
  bool started_ = false;
  bool writing_ = false, writes_done_ = false, writes_failed_ = false;
  bool reading_ = false, ended_ = false;  // ended_: there is nothing more to read.
};

}  // namespace

absl::Status Client::EncodeStream(const std::string& model, const RowSource& source, const EncodeSettings& settings,
                                  const OnBatch& on_batch) {
  if (source.rows < 1) return absl::InvalidArgumentError("the input has no rows; expected at least one");
  KWTA_ASSIGN_OR_RETURN(RequestSizer sizer,
                        RequestSizer::Create(options().max_message_bytes, settings.rows_per_request,
                                             source.width * static_cast<int64_t>(DTypeSize(source.dtype)),
                                             KnownCodeBytes(settings.options), MayBeDense(settings.options)));
  v1::EncodeRequest named;
  named.set_model(model);
  named.set_label(settings.label);
  KWTA_RETURN_IF_ERROR(CheckText(named));
  Position position{0, settings.version, sizer, absl::OkStatus()};
  Backoff backoff(options().retry);
  for (;;) {
    const int64_t answered_before = position.answered;
    absl::Status status = Stream(*connection_, model, source, settings, on_batch, &position).Run();
    if (!position.refused.ok()) return position.refused;
    if (!absl::IsUnavailable(status)) return status;
    if (position.answered > answered_before) backoff.Reset();
    if (backoff.pauses() + 1 >= options().retry.attempts) return status;
    absl::SleepFor(backoff.Next());
  }
}

}  // namespace kwta::client
