// Calls with one request and one answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/services/call.h"
#include "server/services/control_threads.h"
#include "server/services/grpc/call_listener.h"
#include "server/services/grpc/served_call.h"
#include "server/services/grpc/timeout_list.h"

namespace kwta::server {

// What calls are served with. REQUIRES: all of it outlives the loop's Finish.
struct CallSite {
  CompletionLoop* loop = nullptr;
  const CallPipeline* pipeline = nullptr;
  TimeoutList* bodies = nullptr;    // the waits for bodies, on the loop's thread
  ControlThreads* quick = nullptr;  // for calls that at most write a record
  ControlThreads* slow = nullptr;   // for those that read or check whole files
  // Tells whoever watches over connections that a call of this peer waits for a small message, until the result is
  // destroyed. Empty: nobody watches.
  std::function<std::shared_ptr<void>(const std::string& peer)> expect_small;

  std::shared_ptr<void> ExpectSmall(const GrpcTransport& transport) const {
    return expect_small ? expect_small(transport.Address()) : nullptr;
  }
};

// The error of a call whose caller did not send its message within the patience of `bodies`.
absl::Status BodyTimeoutError(const TimeoutList& bodies);

// Admits the call, then reads its request, then serves it. Further messages are not read.
template <typename Request, typename Response>
class UnaryCall : public ServedCall {
 public:
  UnaryCall(std::unique_ptr<IncomingCall> incoming, const CallSite* site, const Method* method)
      : ServedCall(std::move(incoming)), site_(*site), call_(site->pipeline, method, &transport()) {}

  void Begin() final {
    const absl::Status admitted = call_.Admit();
    if (!admitted.ok()) return Refuse(admitted);
    body_.Start(site_.bodies);
    Read();
  }

 protected:
  // Serves request(), and then calls Answer or Refuse on the loop's thread.
  virtual void Serve() = 0;

  const CallSite& site() const { return site_; }
  Call& call() { return call_; }
  Request& request() { return request_; }

  void Answer(const Response& response) {
    grpc::ByteBuffer bytes;
    const absl::Status status = SerializeMessage(response, &bytes);
    if (!status.ok()) return Refuse(status);
    call_.Finish(absl::OkStatus());
    WriteAndFinish(bytes);
  }
  void Refuse(const absl::Status& status) {
    body_.Stop();
    call_.Finish(status);
    Finish(status);
  }

 private:
  void OnRead(grpc::ByteBuffer* message) final {
    body_.Stop();
    if (message == nullptr) {
      return Refuse(transport().Cancelled() ? absl::CancelledError("the caller went away")
                                            : absl::InvalidArgumentError("the call ended without a request"));
    }
    const absl::Status parsed = Parse(message, &request_);
    if (!parsed.ok()) return Refuse(parsed);
    Serve();
  }

  const CallSite& site_;
  Call call_;
  Request request_;
  TimeoutList::Entry body_{[this] { Refuse(BodyTimeoutError(*site_.bodies)); }};
};

// A call that one of a group of threads serves.
template <typename Request, typename Response>
class ThreadedCall final : public UnaryCall<Request, Response> {
 public:
  using Handler = std::function<absl::StatusOr<Response>(Request*)>;

  ThreadedCall(std::unique_ptr<IncomingCall> incoming, const CallSite* site, const Method* method,
               ControlThreads* threads, std::shared_ptr<const Handler> handler)
      : UnaryCall<Request, Response>(std::move(incoming), site, method),
        threads_(*threads),
        handler_(std::move(handler)) {}

 private:
  void Serve() override {
    const absl::Status taken = threads_.Run(this->call().caller(), [this] {
      if (this->transport().Cancelled()) {
        response_ = absl::CancelledError("the caller went away");
      } else {
        response_ = (*handler_)(&this->request());
      }
      this->loop().Post([this] { Served(); });
    });
    if (!taken.ok()) this->Refuse(taken);
  }

  void Served() {
    if (response_.ok()) {
      this->Answer(*response_);
    } else {
      this->Refuse(response_.status());
    }
  }

  ControlThreads& threads_;
  const std::shared_ptr<const Handler> handler_;
  absl::StatusOr<Response> response_;
};

// Adds methods of one service that one group of threads serves.
class ThreadedMethods {
 public:
  ThreadedMethods(MethodTable* table, std::string service, const CallSite* site, ControlThreads* threads)
      : table_(*table), service_(std::move(service)), site_(site), threads_(threads) {}

  // The method's name must be its name in the service.
  template <typename Request, typename Response>
  void Add(const Method& method, typename ThreadedCall<Request, Response>::Handler handler) const {
    using OneCall = ThreadedCall<Request, Response>;
    const auto kept = std::make_shared<const typename OneCall::Handler>(std::move(handler));
    table_.AddCalls<OneCall>(service_, method.name, site_, &method, threads_, kept);
  }

 private:
  MethodTable& table_;
  const std::string service_;
  const CallSite* const site_;
  ControlThreads* const threads_;
};

}  // namespace kwta::server
