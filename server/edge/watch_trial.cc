#include "server/edge/watch_trial.h"

#include <fcntl.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/steady_time.h"

namespace kwta::server {
namespace {

constexpr absl::Duration kLongestTrial = absl::Seconds(5);
constexpr int kTurnMilliseconds = 2;

std::string LiteralField(const std::string& name, const std::string& value) {
  return absl::StrCat(std::string(1, '\0'), std::string(1, static_cast<char>(name.size())), name,
                      std::string(1, static_cast<char>(value.size())), value);
}

// Of fewer than 256 bytes.
std::string ShortFrame(char type, char flags, char stream, const std::string& payload) {
  std::string frame(9, '\0');
  frame[2] = static_cast<char>(payload.size());
  frame[3] = type;
  frame[4] = flags;
  frame[8] = stream;
  return frame + payload;
}

// The client's hello, and a call (RFC 9113).
std::string OneCall() {
  constexpr char kHeaders = 1, kSettings = 4, kEndHeaders = 4, kStream = 1;
  const std::string head = LiteralField(":method", "POST") + LiteralField(":scheme", "http") +
                           LiteralField(":path", "/trial") + LiteralField(":authority", "x") +
                           LiteralField("te", "trailers") + LiteralField("content-type", "application/grpc");
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + ShortFrame(kSettings, 0, 0, "") +
         ShortFrame(kHeaders, kEndHeaders, kStream, head);
}

// A server of gRPC's core that takes one call and drops it.
class TrialServer {
 public:
  TrialServer() : queue_(grpc_completion_queue_create_for_next(nullptr)) {
    grpc_server_register_completion_queue(server_, queue_, nullptr);
    grpc_server_start(server_);
    grpc_call_details_init(&details_);
    grpc_metadata_array_init(&metadata_);
    grpc_server_request_call(server_, &call_, &details_, &metadata_, queue_, queue_, &call_);
  }
  TrialServer(const TrialServer&) = delete;
  TrialServer& operator=(const TrialServer&) = delete;
  ~TrialServer() {
    grpc_server_shutdown_and_notify(server_, queue_, this);
    grpc_server_cancel_all_calls(server_);
    while (Next(gpr_inf_future(GPR_CLOCK_MONOTONIC)).tag != this) {
    }
    grpc_server_destroy(server_);
    grpc_completion_queue_shutdown(queue_);
    while (Next(gpr_inf_future(GPR_CLOCK_MONOTONIC)).type != GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(queue_);
    grpc_call_details_destroy(&details_);
    grpc_metadata_array_destroy(&metadata_);
  }

  // Owns the descriptor.
  void Serve(int descriptor) {
    grpc_server_credentials* insecure = grpc_insecure_server_credentials_create();
    grpc_server_add_channel_from_fd(server_, descriptor, insecure);
    grpc_server_credentials_release(insecure);
  }

  // Has gRPC do what there is to do.
  void Turn() {
    Next(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(kTurnMilliseconds, GPR_TIMESPAN)));
  }

 private:
  grpc_event Next(gpr_timespec end) {
    const grpc_event event = grpc_completion_queue_next(queue_, end, nullptr);
    if (event.tag == &call_ && event.success != 0) grpc_call_unref(call_);
    return event;
  }

  grpc_server* const server_ = grpc_server_create(nullptr, nullptr);
  grpc_completion_queue* const queue_;
  grpc_call* call_ = nullptr;
  grpc_call_details details_;
  grpc_metadata_array metadata_;
};

}  // namespace

absl::Status TryWatch(const std::function<void(int descriptor, const std::shared_ptr<WatchTrial>& trial)>& expect) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    return absl::UnavailableError("there are no descriptors left to try it");
  }
  const auto trial = std::make_shared<WatchTrial>();
  grpc_init();
  {
    TrialServer server;
    expect(ends[0], trial);
    server.Serve(ends[0]);
    const std::string call = OneCall();
    [[maybe_unused]] const ssize_t written = ::write(ends[1], call.data(), call.size());  // a new socket has room
    const SteadyTime end = SteadyTime::Now() + kLongestTrial;
    const auto until = [&](const auto& done) {
      while (!done() && SteadyTime::Now() < end) server.Turn();
    };
    until([&] { return trial->calls_begun == 1 && trial->calls_ended == 1; });
    ::close(ends[1]);
    until([&] { return trial->over.load(); });
  }
  grpc_shutdown();
  if (trial->reads > 0 && trial->calls_begun == 1 && trial->calls_ended == 1 && trial->over) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("this build of gRPC does not call what it should: of a connection with one call it told ",
                   trial->reads.load(), " reads, ", trial->calls_begun.load(), " calls begun, ",
                   trial->calls_ended.load(), " ended, and ", trial->over ? "its end" : "no end"));
}

}  // namespace kwta::server
