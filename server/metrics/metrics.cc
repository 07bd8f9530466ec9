#include "server/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <functional>
#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/activity_window.h"
#include "server/metrics/process_stats.h"

namespace kwta::server {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

// 50 us to 10 s, about three buckets a decade.
const std::vector<double>& SecondsBuckets() {
  static const std::vector<double> buckets = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                              0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};
  return buckets;
}

const std::vector<double>& RowsBuckets() {
  static const std::vector<double> buckets = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};
  return buckets;
}

// Every state that kwta_model_versions counts, with the names of ModelStateName.
constexpr const char* kModelStates[] = {"loading", "ready", "evicted", "unloaded", "failed"};

Family<Gauge>& AddGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildGauge().Name(name).Help(help).Register(registry);
}
Family<Counter>& AddCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Histogram>& AddHistogram(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildHistogram().Name(name).Help(help).Register(registry);
}

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;

  Family<Counter>& requests = AddCounter(registry, "kwta_requests_total",
                                         "Calls answered, by method and status; a request of a stream is a call");
  Family<Histogram>& request_seconds = AddHistogram(registry, "kwta_request_seconds", "Time to answer a call");
  Histogram& queue_seconds =
      AddHistogram(registry, "kwta_queue_seconds", "Time that rows waited for their batch").Add({}, SecondsBuckets());
  Histogram& compute_seconds =
      AddHistogram(registry, "kwta_compute_seconds", "Time to compute a batch").Add({}, SecondsBuckets());
  Histogram& batch_rows = AddHistogram(registry, "kwta_batch_rows", "Rows computed at once").Add({}, RowsBuckets());
  Family<Counter>& rows_encoded = AddCounter(registry, "kwta_rows_encoded_total", "Rows encoded, by model");
  Family<Gauge>& active_fraction =
      AddGauge(registry, "kwta_active_unit_fraction",
               "Mean fraction of the units that a row activates (L0 / units), over the current window of rows");
  Family<Gauge>& dead_units =
      AddGauge(registry, "kwta_dead_units", "Units in no code of the last complete window of window_rows encoded rows");
  Family<Gauge>& model_version = AddGauge(registry, "kwta_model_version", "Version of the model being served");
  Family<Gauge>& model_versions = AddGauge(registry, "kwta_model_versions", "Versions of the model, by state");
  Family<Gauge>& model_problems =
      AddGauge(registry, "kwta_model_problems",
               "Labels and directories of the model that are set aside, as they cannot be read");
  Family<Counter>& model_load_failures =
      AddCounter(registry, "kwta_model_load_failures_total", "Model bundles that could not be loaded, by status");
  Family<Counter>& model_evictions = AddCounter(registry, "kwta_model_evictions_total",
                                                "Versions taken out of memory for newer or for more used ones");
  Histogram& model_load_seconds =
      AddHistogram(registry, "kwta_model_load_seconds", "Time to load and warm up a version").Add({}, SecondsBuckets());
  Family<Gauge>& model_memory_bytes =
      AddGauge(registry, "kwta_model_memory_bytes", "Bytes of the model's parameters in memory");

  Family<Gauge>& jobs = AddGauge(registry, "kwta_jobs", "Training jobs, by state");
  Gauge& waiting_for_store =
      AddGauge(registry, "kwta_jobs_waiting_for_store", "1 while jobs wait because something cannot be stored, else 0")
          .Add({});
  Counter& store_failures =
      AddCounter(registry, "kwta_store_write_failures_total", "Changes of jobs that could not be stored at once")
          .Add({});
  Family<Gauge>& job_epoch = AddGauge(registry, "kwta_job_epoch", "Epochs that the model's running job completed");
  Family<Gauge>& job_epochs = AddGauge(registry, "kwta_job_epochs", "Epochs that the model's running job will take");
  Family<Gauge>& job_loss = AddGauge(registry, "kwta_job_loss",
                                     "Mean squared error a row of the running job; of fine-tuning, mean cross-entropy");
  Family<Gauge>& job_training_error =
      AddGauge(registry, "kwta_job_training_error", "Fraction of rows that the running fine-tuning classified wrongly");
  Family<Gauge>& job_rate =
      AddGauge(registry, "kwta_job_images_per_second", "Training rows a second of the running job");
  Family<Gauge>& job_dead_units =
      AddGauge(registry, "kwta_job_dead_units", "Units in no training code of the running job's last epoch");

  Family<Gauge>& certificate_expiry =
      AddGauge(registry, "kwta_tls_certificate_expiry_seconds", "When the server's certificate expires, since 1970");
  Family<Gauge>& certificates_refused = AddGauge(
      registry, "kwta_tls_files_refused", "1 while the files of certificates cannot be taken and older ones serve");
  Gauge& connections = AddGauge(registry, "kwta_connections", "Open connections to the gRPC port").Add({});
  Family<Counter>& connections_refused =
      AddCounter(registry, "kwta_connections_refused_total", "Connections refused by the gRPC port, by reason");
  Family<Counter>& connections_ended = AddCounter(registry, "kwta_connections_ended_total",
                                                  "Connections ended because of what the client did, by reason");
  Family<Gauge>& build_info = AddGauge(registry, "kwta_build_info", "Always 1; version and backend are its labels");
  Gauge& resident_bytes = AddGauge(registry, "process_resident_memory_bytes", "Resident memory").Add({});
  Gauge& open_fds = AddGauge(registry, "process_open_fds", "Open file descriptors").Add({});
  Counter& cpu_seconds = AddCounter(registry, "process_cpu_seconds_total", "Processor time used").Add({});
  Gauge& start_time =
      AddGauge(registry, "process_start_time_seconds", "Start of the server, in seconds since 1970").Add({});

  // The metrics of each method, looked up once: Family::Add builds a whole histogram before it finds an existing one.
  struct Calls {
    Histogram* seconds = nullptr;
    std::map<absl::StatusCode, Counter*> answers;
  };
  absl::Mutex calls_mutex;
  std::map<std::string, Calls, std::less<>> calls ABSL_GUARDED_BY(calls_mutex);

  std::atomic<uint64_t> total_requests{0};
  std::atomic<uint64_t> total_rows{0};

  // Families keyed by model share this lock, so that no gauge is removed while it is being set.
  struct Activity {
    uint64_t version;
    ActivityWindow window;
  };
  absl::Mutex mutex;
  std::map<std::string, Activity> activity ABSL_GUARDED_BY(mutex);

  std::vector<Family<Gauge>*> OfJob() {
    return {&job_epoch, &job_epochs, &job_loss, &job_training_error, &job_rate, &job_dead_units};
  }
};

namespace {

prometheus::Labels LabelsOfModel(const std::string& model) { return {{"model", model}}; }
prometheus::Labels DeadLabels(const std::string& model) {
  return {{"model", model}, {"window_rows", absl::StrCat(kActivityWindowRows)}};
}

// Removes the metric with these labels if it exists.
template <typename T>
void Drop(Family<T>& family, const prometheus::Labels& labels) {
  if (family.Has(labels)) family.Remove(&family.Add(labels));
}

}  // namespace

Metrics::Metrics(absl::string_view version, absl::string_view backend, absl::Time started)
    : families_(std::make_unique<Families>()) {
  families_->build_info.Add({{"version", std::string(version)}, {"backend", std::string(backend)}}).Set(1);
  families_->start_time.Set(absl::ToDoubleSeconds(started - absl::UnixEpoch()));
  SetJobs({});
}

Metrics::~Metrics() = default;

void Metrics::CallDone(absl::string_view method, absl::StatusCode code, std::optional<double> seconds) {
  Counter* answers;
  Histogram* answer_seconds = nullptr;
  {
    absl::MutexLock lock(&families_->calls_mutex);
    auto found = families_->calls.find(method);
    if (found == families_->calls.end()) found = families_->calls.emplace(method, Families::Calls()).first;
    if (seconds.has_value()) {
      answer_seconds = found->second.seconds;
      if (answer_seconds == nullptr) {
        answer_seconds = &families_->request_seconds.Add({{"method", std::string(method)}}, SecondsBuckets());
        found->second.seconds = answer_seconds;
      }
    }
    Counter*& counter = found->second.answers[code];
    if (counter == nullptr) {
      const std::string name = code == absl::StatusCode::kOk ? "OK" : absl::StatusCodeToString(code);
      counter = &families_->requests.Add({{"method", std::string(method)}, {"code", name}});
    }
    answers = counter;
  }
  answers->Increment();
  if (answer_seconds != nullptr) answer_seconds->Observe(*seconds);
  if (method == "Encode" || method == "EncodeStream") families_->total_requests.fetch_add(1);
}

void Metrics::BatchDone(int64_t rows, double compute_seconds) {
  families_->batch_rows.Observe(static_cast<double>(rows));
  families_->compute_seconds.Observe(compute_seconds);
}

void Metrics::QueueLeft(double seconds) { families_->queue_seconds.Observe(seconds); }

void Metrics::RowsEncoded(const std::string& model, uint64_t version, const Codes& codes) {
  const int64_t rows = CodeRows(codes);
  families_->total_rows.fetch_add(static_cast<uint64_t>(rows));
  absl::MutexLock lock(&families_->mutex);
  families_->rows_encoded.Add(LabelsOfModel(model)).Increment(static_cast<double>(rows));
  auto found = families_->activity.find(model);
  if (found != families_->activity.end() && version < found->second.version) return;  // a caller that pinned an old one
  if (found == families_->activity.end() || found->second.version != version) {
    families_->activity.erase(model);
    found = families_->activity
                .emplace(model, Families::Activity{version, ActivityWindow(CodeUnits(codes), kActivityWindowRows)})
                .first;
    Drop(families_->dead_units, DeadLabels(model));
  }
  const bool complete = found->second.window.Add(codes);
  families_->active_fraction.Add(LabelsOfModel(model)).Set(found->second.window.active_fraction());
  if (complete) {
    families_->dead_units.Add(DeadLabels(model)).Set(static_cast<double>(found->second.window.dead_units()));
  }
}

void Metrics::SetJobs(const JobCounts& counts) {
  const auto set = [this](const char* state, uint32_t jobs) { families_->jobs.Add({{"state", state}}).Set(jobs); };
  set("queued", counts.queued);
  set("running", counts.running);
  set("succeeded", counts.succeeded);
  set("failed", counts.failed);
  set("cancelled", counts.cancelled);
}

void Metrics::StoreWriteFailed() { families_->store_failures.Increment(); }

void Metrics::SetWaitingForStore(bool waiting) { families_->waiting_for_store.Set(waiting ? 1 : 0); }

void Metrics::JobProgress(const std::string& model, const v1::TrainingProgress& progress) {
  const prometheus::Labels labels = LabelsOfModel(model);
  absl::MutexLock lock(&families_->mutex);
  families_->job_epoch.Add(labels).Set(progress.epochs_done());
  families_->job_epochs.Add(labels).Set(progress.epochs());
  families_->job_loss.Add(labels).Set(progress.loss());
  families_->job_rate.Add(labels).Set(progress.images_per_second());
  if (progress.units() > 0) families_->job_dead_units.Add(labels).Set(static_cast<double>(progress.dead_units()));
  if (progress.has_training_error()) families_->job_training_error.Add(labels).Set(progress.training_error());
}

void Metrics::JobStopped(const std::string& model) {
  absl::MutexLock lock(&families_->mutex);
  for (Family<Gauge>* family : families_->OfJob()) Drop(*family, LabelsOfModel(model));
}

void Metrics::SetModelVersion(const std::string& model, uint64_t version) {
  absl::MutexLock lock(&families_->mutex);
  families_->model_version.Add(LabelsOfModel(model)).Set(static_cast<double>(version));
}

void Metrics::ModelRemoved(const std::string& model) {
  absl::MutexLock lock(&families_->mutex);
  families_->activity.erase(model);
  Drop(families_->model_version, LabelsOfModel(model));
  for (const char* state : kModelStates) Drop(families_->model_versions, {{"model", model}, {"state", state}});
  Drop(families_->model_memory_bytes, LabelsOfModel(model));
  Drop(families_->model_problems, LabelsOfModel(model));
  Drop(families_->model_evictions, LabelsOfModel(model));
  Drop(families_->rows_encoded, LabelsOfModel(model));
  Drop(families_->active_fraction, LabelsOfModel(model));
  Drop(families_->dead_units, DeadLabels(model));
}

void Metrics::SetModelVersions(const std::string& model, const std::map<std::string, int>& by_state,
                               int64_t memory_bytes) {
  absl::MutexLock lock(&families_->mutex);
  families_->model_memory_bytes.Add(LabelsOfModel(model)).Set(static_cast<double>(memory_bytes));
  for (const char* state : kModelStates) {
    const auto found = by_state.find(state);
    const int versions = found == by_state.end() ? 0 : found->second;
    families_->model_versions.Add({{"model", model}, {"state", state}}).Set(versions);
  }
}

void Metrics::SetModelProblems(const std::string& model, int problems) {
  absl::MutexLock lock(&families_->mutex);
  families_->model_problems.Add(LabelsOfModel(model)).Set(problems);
}

void Metrics::ModelLoaded(double seconds) { families_->model_load_seconds.Observe(seconds); }

void Metrics::ModelEvicted(const std::string& model) {
  absl::MutexLock lock(&families_->mutex);
  families_->model_evictions.Add(LabelsOfModel(model)).Increment();
}

void Metrics::ModelLoadFailed(absl::StatusCode code) {
  families_->model_load_failures.Add({{"code", absl::StatusCodeToString(code)}}).Increment();
}

void Metrics::SetCertificateExpiry(absl::Time expires) {
  families_->certificate_expiry.Add({}).Set(absl::ToDoubleSeconds(expires - absl::UnixEpoch()));
  SetCertificatesRefused(false);
}

void Metrics::SetConnections(int open) { families_->connections.Set(open); }

void Metrics::ConnectionRefused(const char* reason) {
  families_->connections_refused.Add({{"reason", reason}}).Increment();
}

void Metrics::ConnectionEnded(const char* reason) {
  families_->connections_ended.Add({{"reason", reason}}).Increment();
}

void Metrics::SetCertificatesRefused(bool refused) { families_->certificates_refused.Add({}).Set(refused ? 1 : 0); }

uint64_t Metrics::encode_requests() const { return families_->total_requests.load(); }
uint64_t Metrics::rows_encoded() const { return families_->total_rows.load(); }

std::string Metrics::Render() {
  const ProcessStats stats = ReadProcessStats();
  families_->resident_bytes.Set(stats.resident_bytes);
  families_->open_fds.Set(stats.open_fds);
  absl::MutexLock lock(&families_->mutex);
  families_->cpu_seconds.Increment(stats.cpu_seconds - families_->cpu_seconds.Value());
  return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace kwta::server
