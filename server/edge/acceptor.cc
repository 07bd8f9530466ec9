#include "server/edge/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status_macros.h"
#include "core/base/steady_time.h"
#include "server/edge/host.h"
#include "server/edge/open_connections.h"
#include "server/edge/quiet_log.h"
#include "server/edge/spare_descriptor.h"
#include "server/listening_socket.h"

namespace kwta::server {
namespace {

// How often to look for closed connections: as long as there is room, while there is none, and at most.
constexpr absl::Duration kSweep = absl::Seconds(1);
constexpr absl::Duration kSweepWhileFull = absl::Milliseconds(100);
constexpr absl::Duration kShortestSweep = absl::Milliseconds(20);
// How long to leave the port alone if not even the spare descriptor is there.
constexpr absl::Duration kPause = absl::Milliseconds(100);
// Other work gets its turn after so many connections.
constexpr int kAtOnce = 64;
// A peer that does not confirm what was sent for so long is gone, as gRPC's own sockets have it.
constexpr unsigned kUnconfirmedMilliseconds = 10'000;

// gRPC sets these on sockets that it accepts itself. Connections inherit them.
void Prepare(int listening) {
  const int on = 1;
  ::setsockopt(listening, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(listening, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnconfirmedMilliseconds, sizeof(kUnconfirmedMilliseconds));
}

bool NoDescriptors(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

}  // namespace

class Acceptor::Loop {
 public:
  Loop(const AcceptorOptions& options, AcceptorEvents events)
      : options_(options),
        events_(std::move(events)),
        limits_(options.max_connections, options.max_connections_of_one_host),
        open_([this](const std::string& host) {
          absl::MutexLock lock(&mutex_);
          limits_.Remove(host);
          events_.closed();
        }) {}
  ~Loop() {
    CloseAll();
    for (const int descriptor : {epoll_, wake_}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }

  absl::Status Open() {
    KWTA_ASSIGN_OR_RETURN(listening_, ListenOnAll(options_.address, "--listen"));
    port_ = listening_.front().port;
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_ < 0 || wake_ < 0 || !spare_.Take()) {
      return absl::UnavailableError("cannot wait for connections: there are no descriptors left");
    }
    for (const ListeningSocket& socket : listening_) Prepare(socket.descriptor);
    Watch(wake_);
    Listen(true);
    return absl::OkStatus();
  }

  int port() const { return port_; }

  void Start(Give give) {
    give_ = std::move(give);
    thread_ = std::thread([this] { Run(); });
  }

  void Stop() {
    if (thread_.joinable()) {
      stopping_ = true;
      const uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof(one));
      thread_.join();
    }
    CloseAll();
  }

  void Offended(const std::string& host) {
    absl::MutexLock lock(&mutex_);
    limits_.Offended(host, SteadyTime::Now());
  }

  std::string trouble() const {
    if (no_descriptors_) return "no descriptors are left for connections";
    absl::MutexLock lock(&mutex_);
    return limits_.full() ? absl::StrCat("all ", limits_.most(), " connections of --max-connections are open") : "";
  }

 private:
  // A connection that waits for its turn.
  struct Waiting {
    int descriptor;
    std::string host;
    SteadyTime start;
  };

  void Watch(int descriptor) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  }

  // Whether the thread wakes up for new connections.
  void Listen(bool listen) {
    if (listen == listens_) return;
    listens_ = listen;
    for (const ListeningSocket& socket : listening_) {
      if (listen) {
        Watch(socket.descriptor);
      } else {
        ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket.descriptor, nullptr);
      }
    }
  }

  void CloseAll() {
    for (const ListeningSocket& socket : std::exchange(listening_, {})) ::close(socket.descriptor);
    for (const Waiting& each : std::exchange(waiting_, {})) ::close(each.descriptor);
  }

  void Run() {
    while (!stopping_) {
      std::array<epoll_event, 8> ready;
      const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), UntilNext());
      const SteadyTime now = SteadyTime::Now();
      if (now >= resume_) Listen(true);
      for (int i = 0; i < count; ++i) {
        if (ready[static_cast<size_t>(i)].data.fd != wake_) AcceptSome(ready[static_cast<size_t>(i)].data.fd);
      }
      GiveDue(now);
      if (now >= next_sweep_) Sweep(now);
    }
  }

  // Milliseconds until something is due, rounded up.
  int UntilNext() {
    const SteadyTime now = SteadyTime::Now();
    SteadyTime next = next_sweep_;
    if (!waiting_.empty()) next = std::min(next, waiting_.front().start);
    if (!listens_) next = std::min(next, resume_);
    const absl::Duration most = std::max(absl::ZeroDuration(), next - now);
    return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(std::min(most, kSweep), absl::Milliseconds(1))));
  }

  void AcceptSome(int listening) {
    for (int i = 0; i < kAtOnce && !stopping_; ++i) {
      sockaddr_storage peer = {};
      socklen_t size = sizeof(peer);
      const int descriptor =
          ::accept4(listening, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (descriptor >= 0) {
        Admit(descriptor, HostOf(peer));
        continue;
      }
      if (errno == EAGAIN) return;
      if (NoDescriptors(errno) && !RefuseWithSpare(listening)) return;
      // Other errors are those of a connection that is gone already.
    }
  }

  // Returns whether to go on.
  bool RefuseWithSpare(int listening) {
    const SteadyTime now = SteadyTime::Now();
    no_descriptors_ = true;
    next_sweep_ = std::min(next_sweep_, now + kSweepWhileFull);
    spare_.Give();
    const int descriptor = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    const int error = errno;
    if (descriptor >= 0) {
      Refused(ConnectionRefusal::kDescriptors, "");
      ::close(descriptor);
    }
    spare_.Take();
    if (descriptor < 0 && NoDescriptors(error)) {
      Listen(false);
      resume_ = now + kPause;
    }
    return descriptor >= 0;
  }

  void Admit(int descriptor, const std::string& host) {
    const SteadyTime now = SteadyTime::Now();
    std::optional<ConnectionRefusal> refusal = TryAdd(host);
    if (refusal.has_value() && now - swept_ > kShortestSweep) {
      Sweep(now);
      refusal = TryAdd(host);
    }
    if (refusal.has_value()) {
      next_sweep_ = std::min(next_sweep_, now + kSweepWhileFull);
      Refused(*refusal, host);  // before the caller can see it
      ::close(descriptor);
      return;
    }
    open_.Add(descriptor, host);
    events_.opened();
    SteadyTime start;
    {
      absl::MutexLock lock(&mutex_);
      start = limits_.NextStart(host, now);
    }
    if (start <= now) return Hand(descriptor, host);
    const auto after =
        std::find_if(waiting_.begin(), waiting_.end(), [start](const Waiting& each) { return each.start > start; });
    waiting_.insert(after, {descriptor, host, start});
  }

  std::optional<ConnectionRefusal> TryAdd(const std::string& host) {
    absl::MutexLock lock(&mutex_);
    return limits_.Add(host);
  }

  void Hand(int descriptor, const std::string& host) {
    bool offender;
    {
      absl::MutexLock lock(&mutex_);
      offender = limits_.IsOffender(host, SteadyTime::Now());
    }
    give_(descriptor, host, offender);
  }

  void GiveDue(SteadyTime now) {
    while (!waiting_.empty() && waiting_.front().start <= now) {
      const Waiting due = std::move(waiting_.front());
      waiting_.pop_front();
      Hand(due.descriptor, due.host);
    }
  }

  void Sweep(SteadyTime now) {
    open_.Sweep();
    if (no_descriptors_ && spare_.Take() && SpareDescriptor::Room()) no_descriptors_ = false;
    swept_ = now;
    if (events_.passed && now - told_passed_ >= kSweep) {
      told_passed_ = now;
      events_.passed();
    }
    next_sweep_ = now + (trouble().empty() ? kSweep : kSweepWhileFull);
  }

  void Refused(ConnectionRefusal reason, const std::string& host) {
    events_.refused(reason);
    const int refused = logs_[reason].Count(SteadyTime::Now());
    if (refused == 0) return;
    if (reason == ConnectionRefusal::kHost) {
      spdlog::warn("{} connections refused: {} has the {} that --max-connections-per-host allows", refused, host,
                   options_.max_connections_of_one_host);
    } else if (reason == ConnectionRefusal::kTotal) {
      spdlog::warn("{} connections refused: {}; more need a higher limit on descriptors", refused, trouble());
    } else {
      spdlog::error("{} connections refused: no descriptors are left; raise the limit on them", refused);
    }
  }

  const AcceptorOptions options_;
  const AcceptorEvents events_;
  std::vector<ListeningSocket> listening_;
  int port_ = 0;
  int epoll_ = -1, wake_ = -1;
  SpareDescriptor spare_;
  Give give_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> no_descriptors_{false};
  mutable absl::Mutex mutex_;
  ConnectionLimits limits_ ABSL_GUARDED_BY(mutex_);

  // For the thread alone.
  OpenConnections open_;
  std::list<Waiting> waiting_;  // in order of `start`
  std::map<ConnectionRefusal, QuietLog> logs_;
  bool listens_ = false;
  SteadyTime swept_, next_sweep_, resume_, told_passed_;
};

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Open(const AcceptorOptions& options, AcceptorEvents events) {
  auto loop = std::make_unique<Loop>(options, std::move(events));
  KWTA_RETURN_IF_ERROR(loop->Open());
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(loop)));
}

Acceptor::Acceptor(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Acceptor::~Acceptor() { Stop(); }
int Acceptor::port() const { return loop_->port(); }
void Acceptor::Start(Give give) { loop_->Start(std::move(give)); }
void Acceptor::Stop() { loop_->Stop(); }
void Acceptor::Offended(const std::string& host) { loop_->Offended(host); }
std::string Acceptor::trouble() const { return loop_->trouble(); }

}  // namespace kwta::server
