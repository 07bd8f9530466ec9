#include "server/services/grpc/served_call.h"

#include <utility>

#include "server/refusal.h"
#include "server/services/grpc/status_converter.h"

namespace kwta::server {

void IncomingCall::Over(bool) {
  transport_.Over();
  served_->CallOver();
}

ServedCall::ServedCall(std::unique_ptr<IncomingCall> incoming) : incoming_(std::move(incoming)) {
  incoming_->served_ = this;
}

void ServedCall::Read() {
  ++operations_;
  incoming_->stream_.Read(&message_, &read_done_);
}

void ServedCall::Write(const grpc::ByteBuffer& message, grpc::WriteOptions options) {
  ++operations_;
  incoming_->stream_.Write(message, options, &write_done_);
}

void ServedCall::WriteAndFinish(const grpc::ByteBuffer& message) {
  ++operations_;
  finished_ = true;
  incoming_->stream_.WriteAndFinish(message, grpc::WriteOptions(), grpc::Status::OK, &finish_done_);
}

void ServedCall::Finish(const absl::Status& status) {
  ++operations_;
  finished_ = true;
  incoming_->stream_.Finish(ToGrpcStatus(status), &finish_done_);
}

absl::Status ServedCall::CheckSize(const grpc::ByteBuffer& bytes) const {
  const auto size = static_cast<int64_t>(bytes.Length());
  const int64_t most = incoming_->max_message_bytes_;
  return size <= most ? absl::OkStatus() : MessageTooLarge(size, most);
}

void ServedCall::ReadDone(bool ok) {
  --operations_;
  if (!finished_) OnRead(ok ? &message_ : nullptr);
  if (!finished_) return;
  message_.Clear();
  DeleteIfDone();
}

void ServedCall::WriteDone(bool ok) {
  --operations_;
  if (!finished_) OnWritten(ok);
  DeleteIfDone();
}

void ServedCall::FinishDone(bool) {
  --operations_;
  DeleteIfDone();
}

void ServedCall::CallOver() {
  over_ = true;
  if (!finished_) OnOver();
  DeleteIfDone();
}

void ServedCall::DeleteIfDone() {
  if (finished_ && over_ && operations_ == 0) delete this;
}

}  // namespace kwta::server
