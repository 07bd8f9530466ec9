#include "server/jobs/trainer_process.h"

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/steady_time.h"

namespace kwta::server {
namespace {

constexpr int kReportDescriptor = 3;
constexpr uint32_t kMaxReportBytes = 1 << 20;

// A trainer of this level gets only processors that nobody else wants.
constexpr int kLowestNiceness = 19;

// Closes a descriptor at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status Failed(const std::string& what) {
  return absl::UnavailableError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Added to the server's own score, `own`, for the trainer. When memory is short the system kills the trainer first, and
// the job later continues from its checkpoint.
constexpr int kOomScoreAbove = 500;
constexpr int kMaxOomScore = 1000;

std::string OomScoreOfTrainer() {
  int own = 0;
  std::ifstream("/proc/self/oom_score_adj") >> own;  // stays 0 if the file does not exist
  return absl::StrCat(std::min(own + kOomScoreAbove, kMaxOomScore));
}

// Runs in the child between fork and exec, so it makes only calls that are safe there.
[[noreturn]] void Become(const char* program, int task, int log, int reports, int niceness, absl::string_view oom_score,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before the line above
  // Move the descriptors out of the way first, since their numbers may be below 4.
  task = ::fcntl(task, F_DUPFD, 10);
  log = ::fcntl(log, F_DUPFD, 10);
  reports = ::fcntl(reports, F_DUPFD, 10);
  ::dup2(task, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::dup2(reports, kReportDescriptor);
  ::close_range(kReportDescriptor + 1, ~0U, 0);
  // The server blocks and ignores signals that the trainer must receive.
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  for (const int signal : {SIGTERM, SIGINT, SIGPIPE, SIGXCPU, SIGUSR1, SIGUSR2})
    ::sigaction(signal, &standard, nullptr);
  // The end of the server's terminal concerns only the server. If a file may not grow, the trainer's write must fail.
  for (const int signal : {SIGHUP, SIGXFSZ}) ::signal(signal, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0) {
    [[maybe_unused]] const ssize_t written = ::write(score, oom_score.data(), oom_score.size());
    ::close(score);
  }
  // Do this last. From here on the child may have to wait for a processor, and it must have closed the server's files
  // by then, or a killed server would seem to hold its ports.
  ::setpriority(PRIO_PROCESS, 0, niceness);
  if (niceness >= kLowestNiceness) {
    // A waking thread takes the processor from an idle-class thread at once, but from a nice one only after that one's
    // turn, milliseconds later.
    const sched_param no_parameters = {};
    ::sched_setscheduler(0, SCHED_IDLE, &no_parameters);
  }
  char* const arguments[] = {const_cast<char*>(program), nullptr};
  ::execv(program, arguments);
  constexpr char kMessage[] = "cannot execute the trainer\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1);
  ::_exit(127);
}

// Returns an anonymous file that holds the task. Unlike a pipe, it never blocks the server, whatever the trainer does.
absl::StatusOr<int> TaskFile(const v1::TrainerTask& task) {
  Descriptor file(::memfd_create("kwta-task", MFD_CLOEXEC));
  if (file.get() < 0) return Failed("cannot make the trainer's task file");
  const std::string bytes = task.SerializeAsString();
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("cannot write the trainer's task");
    done += static_cast<size_t>(count);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return Failed("cannot rewind the trainer's task");
  return file.release();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TrainerProcess>> TrainerProcess::Start(const TrainerProcessOptions& options,
                                                                      const v1::TrainerTask& task) {
  if (::access(options.program.c_str(), X_OK) != 0) {
    const std::string message = absl::StrCat("cannot run the trainer '", options.program, "': ", std::strerror(errno),
                                             "; name kwta-trainer with --trainer");
    return errno == ENOENT ? absl::NotFoundError(message) : absl::PermissionDeniedError(message);
  }
  KWTA_ASSIGN_OR_RETURN(const int task_fd, TaskFile(task));
  const Descriptor task_file(task_fd);
  const Descriptor log(::open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) return Failed(absl::StrCat("cannot write '", options.log_path, "'"));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Failed("cannot make the trainer's report pipe");
  Descriptor read_end(ends[0]);
  const Descriptor write_end(ends[1]);
  const std::string oom_score = OomScoreOfTrainer();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Failed("cannot start a process");
  if (pid == 0) {
    Become(options.program.c_str(), task_file.get(), log.get(), write_end.get(), options.niceness, oom_score, parent);
  }
  return std::unique_ptr<TrainerProcess>(new TrainerProcess(pid, read_end.release(), options.log_path));
}

TrainerProcess::~TrainerProcess() {
  Reap(absl::ZeroDuration());
  ::close(reports_);
}

absl::StatusOr<TrainerProcess::Event> TrainerProcess::Next(absl::Duration timeout, v1::TrainerReport* report) {
  bool ended = false;
  for (;;) {
    KWTA_ASSIGN_OR_RETURN(std::optional<v1::TrainerReport> next, ParseReport());
    if (next.has_value()) {
      *report = *std::move(next);
      return Event::kReport;
    }
    pollfd poll_reports = {reports_, POLLIN, 0};
    const int ready = ::poll(&poll_reports, 1, ended ? 0 : static_cast<int>(absl::ToInt64Milliseconds(timeout)));
    if (ready < 0 && errno != EINTR) return Failed("cannot wait for the trainer's reports");
    if (ready <= 0) {
      // A process that the trainer left behind may hold the pipe open, so the trainer's own end counts.
      if (ended) return Event::kEnd;
      ended = HasEnded();
      if (!ended) return Event::kNothingYet;
      continue;
    }
    char bytes[4096];
    const ssize_t count = ::read(reports_, bytes, sizeof(bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Failed("cannot read the trainer's reports");
    if (count == 0) {
      if (!buffer_.empty()) return absl::DataLossError("the trainer's last report was cut short");
      return Event::kEnd;
    }
    buffer_.append(bytes, static_cast<size_t>(count));
  }
}

absl::StatusOr<std::optional<v1::TrainerReport>> TrainerProcess::ParseReport() {
  google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(buffer_.data()),
                                               static_cast<int>(buffer_.size()));
  uint32_t size = 0;
  constexpr size_t kMaxVarintBytes = 5;
  if (!input.ReadVarint32(&size)) {
    if (buffer_.size() < kMaxVarintBytes) return std::nullopt;
    return absl::DataLossError("the trainer wrote something that is not a report to its report pipe");
  }
  if (size > kMaxReportBytes) {
    return absl::DataLossError(
        absl::StrCat("the trainer announced a report of ", size, " bytes, at most ", kMaxReportBytes, " are expected"));
  }
  const auto header = static_cast<size_t>(input.CurrentPosition());
  if (buffer_.size() - header < size) return std::nullopt;
  v1::TrainerReport report;
  if (!report.ParseFromArray(buffer_.data() + header, static_cast<int>(size))) {
    return absl::DataLossError("the trainer wrote something that is not a report to its report pipe");
  }
  buffer_.erase(0, header + size);
  return report;
}

bool TrainerProcess::HasEnded() {
  absl::MutexLock lock(&mutex_);
  int status = 0;
  if (!wait_status_.has_value() && ::waitpid(pid_, &status, WNOHANG) == pid_) wait_status_ = status;
  return wait_status_.has_value();
}

void TrainerProcess::Signal(int signal) {
  absl::MutexLock lock(&mutex_);
  if (!wait_status_.has_value()) ::kill(pid_, signal);
}

std::string TrainerProcess::Reap(absl::Duration patience) {
  const SteadyTime give_up = SteadyTime::Now() + patience;
  while (!HasEnded()) {
    if (SteadyTime::Now() >= give_up) Kill();
    absl::SleepFor(absl::Milliseconds(2));
  }
  absl::MutexLock lock(&mutex_);
  if (WIFSIGNALED(*wait_status_)) {
    const int signal = WTERMSIG(*wait_status_);
    return absl::StrCat("was killed by signal ", signal, " (", ::strsignal(signal), ")");
  }
  return absl::StrCat("exited with code ", WEXITSTATUS(*wait_status_));
}

bool TrainerProcess::was_killed() {
  absl::MutexLock lock(&mutex_);
  if (!WIFSIGNALED(*wait_status_)) return false;
  const int signal = WTERMSIG(*wait_status_);
  return signal == SIGKILL || signal == SIGTERM || signal == SIGINT;
}

std::string TrainerProcess::LogTail(size_t bytes) const {
  std::ifstream log(log_path_, std::ios::binary | std::ios::ate);
  if (!log) return "";
  const auto size = static_cast<size_t>(log.tellg());
  const size_t start = size > bytes ? size - bytes : 0;
  log.seekg(static_cast<std::streamoff>(start));
  std::string tail(size - start, '\0');
  log.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  tail.resize(static_cast<size_t>(log.gcount()));
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  return tail;
}

}  // namespace kwta::server
