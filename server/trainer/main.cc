// kwta-trainer trains one job in its own process, so that it can crash, be killed or be niced without hurting Encode.
// The server writes a v1.TrainerTask to its standard input and reads v1.TrainerReport messages from descriptor 3.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/base/status_macros.h"
#include "core/base/utf8.h"
#include "core/base/version.h"
#include "core/files/files.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "core/training/run_job.h"
#include "google/protobuf/util/time_util.h"
#include "kwta/v1/job.pb.h"
#include "server/trainer/report_pipe.h"

namespace kwta::server {
namespace {

constexpr int kReportDescriptor = 3;

constexpr char kUsage[] =
    "kwta-trainer trains one job. kwta-server starts it; there is no need to start it by hand.\n"
    "\n"
    "  standard input   one kwta.v1.TrainerTask, up to the end of the input\n"
    "  descriptor 3     reports, length-delimited kwta.v1.TrainerReport messages\n"
    "  SIGTERM, SIGINT  stop after the current update; the job goes on later from its last checkpoint\n"
    "\n"
    "  --help           this text\n"
    "  --version        the version\n"
    "\n"
    "Exit status: 0 the job's end was reported (finished, failed or interrupted), 1 it could not be, 2 usage.\n";

// The signal handler sets it; the trainer reads it between updates.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only store to a lock-free atomic");

void RequestStop(int) { stop_requested.store(true, std::memory_order_relaxed); }

void InstallSignalHandlers() {
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction action = {};
  action.sa_handler = RequestStop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

// Reads the base model. Fails if it has changed since the job was submitted.
absl::StatusOr<ModelBundle> ReadBase(const v1::TrainerTask& task) {
  const v1::BaseModelRef& base = task.spec().base();
  const std::string name = absl::StrCat("base model '", base.model(), "' version ", base.version());
  const absl::StatusOr<std::string> hash = HashOfModelBundle(task.base_directory());
  if (!hash.ok()) {
    return absl::Status(hash.status().code(), absl::StrCat(name, " cannot be read: ", hash.status().message()));
  }
  if (*hash != base.sha256()) {
    return absl::FailedPreconditionError(
        absl::StrCat(name, " has changed since the job was submitted (its SHA-256 is ", absl::BytesToHexString(*hash),
                     ", not ", absl::BytesToHexString(base.sha256()), "); submit a new job to train on it as it is"));
  }
  return ReadModelBundle(task.base_directory());
}
absl::StatusOr<v1::TrainingStatistics> RunTask(const v1::TrainerTask& task, ReportPipe& pipe) {
  DatasetOptions dataset_options;
  dataset_options.directories = {task.data_directories().begin(), task.data_directories().end()};
  KWTA_ASSIGN_OR_RETURN(const Dataset data, LoadDataset(task.spec().dataset(), dataset_options));
  BackendOptions backend_options;
  backend_options.threads = static_cast<int>(task.spec().training().threads());
  if (task.has_device()) backend_options.device = static_cast<int>(task.device());
  backend_options.passed_over = [&task](absl::string_view name, const absl::Status& why) {
    const std::string line = absl::StrCat("kwta-trainer: job ", task.job_id(), ": the ", name,
                                          " backend cannot run here, the next one trains instead: ", why.message());
    std::fprintf(stderr, "%s\n", line.c_str());
  };
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<Backend> backend, CreateBackend(task.backend(), backend_options));

  TrainingControl control;
  control.checkpoint_directory = task.work_directory();
  control.stop = &stop_requested;
  control.report = [&](const v1::TrainingProgress& progress) {
    v1::TrainerReport report;
    *report.mutable_progress() = progress;
    for (const std::string& note : data.notes()) report.mutable_progress()->add_warnings(ToUtf8(note));
    // The server is gone and will resume the job when it is back, so leave a checkpoint.
    if (!pipe.Send(report)) stop_requested = true;
  };
  std::optional<ModelBundle> base;
  if (task.spec().has_base()) {
    KWTA_ASSIGN_OR_RETURN(base, ReadBase(task));
  }
  absl::StatusOr<ModelBundle> trained = RunJob(task.spec(), std::move(base), data, std::move(backend), control);
  // If the data changed meanwhile, that explains any result, even a failure.
  KWTA_RETURN_IF_ERROR(data.CheckUnchanged());
  KWTA_RETURN_IF_ERROR(trained.status());
  ModelBundle& bundle = *trained;
  bundle.description.set_job_id(task.job_id());
  bundle.description.set_kwta_version(kVersion);
  *bundle.description.mutable_created() = google::protobuf::util::TimeUtil::GetCurrentTime();
  const std::string directory = absl::StrCat(task.work_directory(), "/bundle");
  // What lies there was not reported: an attempt at this job was interrupted before it could, or it is of a job of the
  // same id in a store that was lost. If this attempt is interrupted now, the next goes on from the last checkpoint.
  KWTA_RETURN_IF_ERROR(RemoveAll(directory));
  KWTA_RETURN_IF_ERROR(WriteModelBundle(directory, bundle));
  return bundle.description.statistics();
}

int Main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
    std::printf("kwta-trainer %s\n", kVersion);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc != 1 || fcntl(kReportDescriptor, F_GETFD) == -1) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  InstallSignalHandlers();
  ReportPipe pipe(kReportDescriptor);
  v1::TrainerTask task;
  if (!task.ParseFromFileDescriptor(STDIN_FILENO) || task.job_id().empty()) {
    std::fputs("kwta-trainer: standard input does not hold a kwta.v1.TrainerTask\n", stderr);
    return 2;
  }
  absl::StatusOr<v1::TrainingStatistics> statistics = absl::InternalError("the trainer has not run");
  try {
    statistics = RunTask(task, pipe);
  } catch (const std::bad_alloc&) {
    statistics = absl::ResourceExhaustedError(
        "the trainer ran out of memory: use fewer units, a smaller batch or fewer rows (max_rows)");
  } catch (const std::exception& error) {
    statistics = absl::InternalError(absl::StrCat("the trainer failed unexpectedly: ", error.what()));
  }
  if (!statistics.ok()) {
    std::fprintf(stderr, "kwta-trainer: job %s: %s\n", task.job_id().c_str(), statistics.status().ToString().c_str());
    return pipe.SendEnd(statistics.status()) ? 0 : 1;
  }
  v1::TrainerReport report;
  *report.mutable_finished() = *statistics;
  return pipe.Send(report) ? 0 : 1;
}

}  // namespace
}  // namespace kwta::server

int main(int argc, char** argv) { return kwta::server::Main(argc, argv); }
