#include "client/hedge.h"

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_unary_call.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/connection.h"

namespace kwta::client {
namespace {

// The most second attempts at once, however long nothing was slow.
constexpr double kMostAtOnce = 10;

struct Attempt {
  grpc::ClientContext context;
  v1::EncodeResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v1::EncodeResponse>> reader;

  void Start(v1::EncoderService::Stub* stub, const v1::EncodeRequest& request, absl::Time deadline,
             grpc::CompletionQueue* queue) {
    Connection::SetDeadline(deadline, &context);
    reader = stub->AsyncEncode(&context, request, queue);
    reader->Finish(&response, &status, this);
  }
};

// Returns the next attempt that ends; null if none ends before `deadline`.
Attempt* NextToEnd(grpc::CompletionQueue* queue, absl::Time deadline = absl::InfiniteFuture()) {
  void* attempt = nullptr;
  bool unused = false;
  const auto got = queue->AsyncNext(&attempt, &unused, absl::ToChronoTime(deadline));
  return got == grpc::CompletionQueue::GOT_EVENT ? static_cast<Attempt*>(attempt) : nullptr;
}

}  // namespace

void HedgeBudget::CountCall() {
  absl::MutexLock lock(&mutex_);
  attempts_left_ = std::min(attempts_left_ + max_fraction_, kMostAtOnce);
}

bool HedgeBudget::Take() {
  absl::MutexLock lock(&mutex_);
  if (attempts_left_ < 1) return false;
  attempts_left_ -= 1;
  return true;
}

Hedger::Hedger(const Options& options) : delay_(*options.hedge.delay), budget_(options.hedge.max_fraction) {
  for (const absl::string_view address : absl::StrSplit(options.address, ',')) {
    Options one = options;
    one.address = std::string(absl::StripAsciiWhitespace(address));
    servers_.push_back({one.address, v1::EncoderService::NewStub(CreateChannel(one, /*own_connection=*/true))});
  }
}

v1::EncoderService::Stub* Hedger::Other(const std::string& peer) {
  const size_t next = next_.fetch_add(1);
  const Server& server = servers_[next % servers_.size()];
  // gRPC names peers "ipv4:ADDRESS".
  if (!absl::EndsWith(peer, absl::StrCat(":", server.address))) return server.stub.get();
  return servers_[(next + 1) % servers_.size()].stub.get();
}

grpc::Status Hedger::Encode(v1::EncoderService::Stub* stub, const v1::EncodeRequest& request, absl::Time deadline,
                            v1::EncodeResponse* response) {
  budget_.CountCall();
  grpc::CompletionQueue queue;
  Attempt first, second;
  first.Start(stub, request, deadline, &queue);
  Attempt* ended = NextToEnd(&queue, absl::Now() + delay_);
  int outstanding = ended == nullptr ? 1 : 0;
  if (ended == nullptr && budget_.Take()) {
    second.Start(Other(first.context.peer()), request, deadline, &queue);
    ++outstanding;
  }
  // A failure does not count as long as the other attempt may still succeed.
  while (outstanding > 0 && (ended == nullptr || !ended->status.ok())) {
    ended = NextToEnd(&queue);
    --outstanding;
  }
  if (outstanding > 0) (ended == &first ? second : first).context.TryCancel();
  queue.Shutdown();
  while (NextToEnd(&queue) != nullptr) {
  }
  if (!ended->status.ok()) return first.status;
  *response = std::move(ended->response);
  return ended->status;
}

}  // namespace kwta::client
