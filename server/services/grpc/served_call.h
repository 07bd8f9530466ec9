// One call of any method, as the generic service gives it: its metadata first, its messages only when they are read. So
// the server checks who calls before it takes a body.
#pragma once

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "server/services/grpc/completion_loop.h"
#include "server/services/grpc/grpc_call.h"

namespace kwta::server {

class ServedCall;

// What gRPC keeps of a call, from the request for one until its end.
class IncomingCall {
 public:
  // Messages of more than max_message_bytes are refused.
  IncomingCall(CompletionLoop* loop, int64_t max_message_bytes)
      : loop_(*loop), hold_(loop), max_message_bytes_(max_message_bytes) {
    context_.AsyncNotifyWhenDone(&over_);
  }
  IncomingCall(const IncomingCall&) = delete;
  IncomingCall& operator=(const IncomingCall&) = delete;

  // Asks gRPC for a call; `arrived` then completes. If it completes without success, the server stops, and gRPC says
  // nothing more of this call.
  void Await(grpc::AsyncGenericService* service, CompletionEvent* arrived) {
    service->RequestCall(&context_, &stream_, loop_.queue(), loop_.queue(), arrived);
  }
  // The full name of the method, "/package.Service/Method". REQUIRES: the call has arrived.
  const std::string& path() const { return context_.method(); }

 private:
  friend class ServedCall;
  void Over(bool);

  CompletionLoop& loop_;
  const CompletionLoop::Hold hold_;
  const int64_t max_message_bytes_;
  MemberEvent<IncomingCall, &IncomingCall::Over> over_{this};
  grpc::GenericServerContext context_;
  GrpcTransport transport_{&context_};
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  ServedCall* served_ = nullptr;
};

// The base of the calls of all methods. Everything happens on the loop's thread. The call deletes itself once Finish
// was called, every operation has completed, and gRPC has reported the end. REQUIRES: Finish is called, whatever
// happens, and only once no other thread uses the call.
class ServedCall {
 public:
  explicit ServedCall(std::unique_ptr<IncomingCall> incoming);
  ServedCall(const ServedCall&) = delete;
  ServedCall& operator=(const ServedCall&) = delete;

  // Call once, right after construction.
  virtual void Begin() = 0;

 protected:
  virtual ~ServedCall() = default;

  const std::string& path() const { return incoming_->path(); }
  CompletionLoop& loop() const { return incoming_->loop_; }
  GrpcTransport& transport() const { return incoming_->transport_; }
  bool finished() const { return finished_; }

  // Each starts an operation, whose method below is called when it has completed, unless the call has been finished.
  // One read and one write may be in progress.
  void Read();
  void Write(const grpc::ByteBuffer& message, grpc::WriteOptions options = {});
  // Sends the answer of a unary call and an OK status.
  void WriteAndFinish(const grpc::ByteBuffer& message);
  void Finish(const absl::Status& status);

  // Converts a message that was read, without copying strings that gRPC can refer to, and drops the bytes. Errors:
  // RESOURCE_EXHAUSTED if it is too large, INVALID_ARGUMENT if the bytes are no such message.
  template <typename Message>
  absl::Status Parse(grpc::ByteBuffer* bytes, Message* message) const {
    absl::Status status = CheckSize(*bytes);
    if (status.ok() && !grpc::SerializationTraits<Message>::Deserialize(bytes, message).ok()) {
      status = absl::InvalidArgumentError("the bytes of the message are no " + Message::descriptor()->full_name() +
                                          "; the client and the server may disagree about the protocol");
    }
    bytes->Clear();
    return status;
  }

  // A message was read; null: there are no more.
  virtual void OnRead(grpc::ByteBuffer*) {}
  // A message was written; not ok: nobody reads any more.
  virtual void OnWritten(bool) {}
  // Nobody waits for the call any more. Called unless the call has been finished.
  virtual void OnOver() {}

 private:
  friend class IncomingCall;
  void ReadDone(bool ok);
  void WriteDone(bool ok);
  void FinishDone(bool);
  void CallOver();
  void DeleteIfDone();
  absl::Status CheckSize(const grpc::ByteBuffer& bytes) const;

  const std::unique_ptr<IncomingCall> incoming_;
  MemberEvent<ServedCall, &ServedCall::ReadDone> read_done_{this};
  MemberEvent<ServedCall, &ServedCall::WriteDone> write_done_{this};
  MemberEvent<ServedCall, &ServedCall::FinishDone> finish_done_{this};
  grpc::ByteBuffer message_;  // being read
  int operations_ = 0;        // in progress
  bool finished_ = false;
  bool over_ = false;
};

// Errors: INTERNAL if the message is larger than any may be (2 GiB).
template <typename Message>
absl::Status SerializeMessage(const Message& message, grpc::ByteBuffer* bytes) {
  bool owned;
  const grpc::Status status = grpc::SerializationTraits<Message>::Serialize(message, bytes, &owned);
  return status.ok() ? absl::OkStatus() : absl::InternalError(status.error_message());
}

}  // namespace kwta::server
