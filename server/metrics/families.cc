#include "server/metrics/families.h"

#include <array>

namespace kwta::server {
namespace {

constexpr auto kCounter = prometheus::MetricType::Counter;
constexpr auto kGauge = prometheus::MetricType::Gauge;
constexpr auto kHistogram = prometheus::MetricType::Histogram;

constexpr FamilyDefinition kFamilies[] = {
    {"kwta_requests_total", kCounter, "calls", "method, model, version, code",
     "Calls answered; a request of a stream is a call. Calls that compute nothing with a model have no label model; "
     "(unknown) stands for what does not serve"},
    {"kwta_request_seconds", kHistogram, "seconds", "method",
     "Total time to answer a call; calls that last as long as their caller likes are left out"},
    {"kwta_refusals_total", kCounter, "calls", "reason", "Calls and requests that were refused, by reason"},
    {"kwta_requests_in_flight", kGauge, "calls", "", "Calls that are being answered"},
    {"kwta_requests_in_flight_limit", kGauge, "calls", "",
     "Most calls that are answered at once (--max-concurrent-calls)"},
    {"kwta_queue_requests", kGauge, "requests", "", "Requests that wait for a batch"},
    {"kwta_queue_rows", kGauge, "rows", "", "Rows that wait for a batch"},
    {"kwta_queue_rows_limit", kGauge, "rows", "", "Most rows that may wait (--max-queue-rows)"},
    {"kwta_queue_bytes", kGauge, "bytes", "", "Bytes of the rows that wait for a batch"},
    {"kwta_queue_bytes_limit", kGauge, "bytes", "", "Most bytes of rows that may wait (--max-queue-bytes)"},
    {"kwta_queue_seconds", kHistogram, "seconds", "model",
     "Time that rows waited for their batch, once for each part of a batch"},
    {"kwta_compute_seconds", kHistogram, "seconds", "model", "Time to compute a batch"},
    {"kwta_batch_rows", kHistogram, "rows", "model", "Rows computed at once"},
    {"kwta_rows_encoded_total", kCounter, "rows", "model, version", "Rows encoded, without those reconstructed"},
    {"kwta_model_info", kGauge, "1", "model, version, encoder, units, code_width, input_width",
     "Always 1; what the version is"},
    {"kwta_model_version", kGauge, "version", "model", "Version that label stable means; a change is a swap"},
    {"kwta_model_versions", kGauge, "versions", "model, state", "Versions of the model, by state"},
    {"kwta_model_memory_bytes", kGauge, "bytes", "model, version", "Bytes of the version's parameters in memory"},
    {"kwta_model_path", kGauge, "1", "model, version, path",
     "Always 1; the products that find the version's codes on this machine: int8, fp32 or bf16"},
    {"kwta_model_placement", kGauge, "1", "model, version, place",
     "Always 1; where a version in memory is encoded, device or processor; none on servers without a device"},
    {"kwta_model_load_seconds", kHistogram, "seconds", "", "Time to load and warm up a version"},
    {"kwta_model_last_load_seconds", kGauge, "seconds", "model, version",
     "Time that the version's last load and warm-up took"},
    {"kwta_model_load_failures_total", kCounter, "loads", "code", "Bundles that could not be loaded, by status"},
    {"kwta_model_evictions_total", kCounter, "versions", "model",
     "Versions that left memory for newer or for more used ones"},
    {"kwta_model_problems", kGauge, "parts", "model",
     "Labels and directories of the model that are set aside, as they cannot be read"},
    {"kwta_model_units", kGauge, "units", "model, version",
     "Width of the version's code, of which dead units and L0 are parts"},
    {"kwta_active_unit_fraction", kGauge, "ratio", "model, version",
     "Mean fraction of the units that a row activates (L0 / units), over the current window of rows"},
    {"kwta_code_l0", kGauge, "units", "model, version",
     "Mean number of active entries of a row's code, over the current window of rows: not zero; of sigmoid and "
     "softplus, "
     "above 0.1"},
    {"kwta_unit_activation_frequency", kHistogram, "ratio", "model, version, window_rows",
     "Fraction of a complete window's rows that activated a unit; each window adds one observation for each unit"},
    {"kwta_activity_windows_total", kCounter, "windows", "model, version", "Complete windows of encoded rows"},
    {"kwta_dead_units", kGauge, "units", "model, version, window_rows",
     "Units in no code of the last complete window of window_rows encoded rows; 0 until a window is complete"},
    {"kwta_training_dead_units", kGauge, "units", "model, version", "Units in no code of the last epoch of training"},
    {"kwta_training_units", kGauge, "units", "model, version",
     "Units that training trained, of which kwta_training_dead_units are a part; maps, for a winner-take-all encoder"},
    {"kwta_live_fraction_variance_unexplained", kGauge, "ratio", "model, version, sample_rows",
     "Fraction of variance unexplained of a sample of live rows, of the last sample_rows of them or more; 0 while "
     "fewer than 16 were seen"},
    {"kwta_training_fraction_variance_unexplained", kGauge, "ratio", "model, version",
     "Fraction of variance unexplained of the last epoch of training; 0 if training does not reconstruct"},
    {"kwta_drift_rows_total", kCounter, "rows", "model, version", "Live rows in the sample"},
    {"kwta_jobs", kGauge, "jobs", "state", "Training jobs, by state"},
    {"kwta_jobs_waiting_for_store", kGauge, "0 or 1", "", "1 while jobs wait because something cannot be stored"},
    {"kwta_store_write_failures_total", kCounter, "writes", "", "Changes of jobs that could not be stored at once"},
    {"kwta_job_queue_seconds", kHistogram, "seconds", "", "Time that jobs waited for a trainer"},
    {"kwta_job_epoch", kGauge, "epochs", "model", "Epochs that the model's running job completed"},
    {"kwta_job_epochs", kGauge, "epochs", "model", "Epochs that the model's running job will take"},
    {"kwta_job_loss", kGauge, "squared error", "model",
     "Mean squared error of a row in the running job; of fine-tuning, mean cross-entropy"},
    {"kwta_job_fraction_variance_unexplained", kGauge, "ratio", "model",
     "Fraction of variance unexplained in the running job"},
    {"kwta_job_training_error", kGauge, "ratio", "model",
     "Fraction of rows that the running fine-tuning classified wrongly"},
    {"kwta_job_k", kGauge, "units", "model", "Activities that a row keeps now in the running job"},
    {"kwta_job_learning_rate", kGauge, "1", "model", "Learning rate of the running job"},
    {"kwta_job_images_per_second", kGauge, "rows per second", "model", "Training rows a second of the running job"},
    {"kwta_job_dead_units", kGauge, "units", "model", "Units in no training code of the running job's last epoch"},
    {"kwta_job_units", kGauge, "units", "model", "Units that the running job trains"},
    {"kwta_job_gradient_norm", kGauge, "1", "model",
     "Length of the gradient of a batch of the running job at its last report; 0 if it is not measured"},
    {"kwta_job_processor_share", kGauge, "ratio", "model",
     "Part of the processor time that the running job's trainer wanted and got before its last report; below a half, "
     "others slow it down; 1 if the system does not tell"},
    {"kwta_job_checkpoint_age_seconds", kGauge, "seconds", "model",
     "Time since the running job's last checkpoint, or since its start"},
    {"kwta_job_report_age_seconds", kGauge, "seconds", "model", "Time since the running job's trainer last reported"},
    {"kwta_connections_open", kGauge, "connections", "port", "Connections that are open, by port"},
    {"kwta_connections_total", kCounter, "connections", "port", "Connections that were accepted, by port"},
    {"kwta_connections_refused_total", kCounter, "connections", "port, reason",
     "Connections that were refused, or closed for what their clients did or failed to do, by port and reason"},
    {"kwta_connections_held_bytes", kGauge, "bytes", "port", "Bytes that connections make the server hold, by port"},
    {"kwta_connections_held_bytes_limit", kGauge, "bytes", "port", "Most bytes that they may make it hold, by port"},
    {"kwta_control_calls_waiting", kGauge, "calls", "kind",
     "Calls that wait for a thread: quick ones look up or record, slow ones read or write files"},
    {"kwta_control_calls_waiting_limit", kGauge, "calls", "", "Most calls of a kind that may wait for a thread"},
    {"kwta_health_watchers", kGauge, "calls", "", "Open calls that watch the server's health"},
    {"kwta_health_watchers_limit", kGauge, "calls", "", "Most of them (--max-health-watchers)"},
    {"kwta_tls_certificate_expiry_seconds", kGauge, "seconds since 1970", "",
     "When the server's certificate expires; 0 without TLS"},
    {"kwta_tls_files_refused", kGauge, "0 or 1", "",
     "1 while the files of certificates cannot be taken and older ones serve"},
    {"kwta_device_info", kGauge, "1", "device", "Always 1; the device that encodes; 0 and no label without one"},
    {"kwta_device_failed", kGauge, "0 or 1", "",
     "1 once the device has failed: its models go on on the processor until the server is restarted"},
    {"kwta_device_memory_size_bytes", kGauge, "bytes", "", "Memory of the device"},
    {"kwta_device_memory_used_bytes", kGauge, "bytes", "", "What the server has allocated of it"},
    {"kwta_device_models_bytes", kGauge, "bytes", "", "What is reserved of it for models"},
    {"kwta_device_models_bytes_limit", kGauge, "bytes", "", "Most of it that models may take (--device-memory)"},
    {"kwta_device_batches_in_flight", kGauge, "batches", "", "Batches that the device computes"},
    {"kwta_device_batches_total", kCounter, "batches", "", "Batches that the device computed"},
    {"kwta_device_fallbacks_total", kCounter, "batches", "reason",
     "Batches of versions on the device that the processor computed instead, for lack of device memory or after a "
     "failure"},
    {"kwta_device_copy_seconds_total", kCounter, "seconds", "", "Time of copies to the device and from it"},
    {"kwta_device_kernel_seconds_total", kCounter, "seconds", "", "Time of the device's kernels"},
    {"kwta_ready", kGauge, "0 or 1", "", "1 while the server takes requests"},
    {"kwta_build_info", kGauge, "1", "version, backend, instruction_set",
     "Always 1; the program and what it computes with"},
    {"kwta_state_disk_free_bytes", kGauge, "bytes", "",
     "Free bytes, for this user, of the file system of the state directory"},
    {"kwta_state_disk_size_bytes", kGauge, "bytes", "", "Size of the file system of the state directory"},
    {"process_cpu_seconds_total", kCounter, "seconds", "", "Processor time used, user and system"},
    {"process_resident_memory_bytes", kGauge, "bytes", "", "Resident memory"},
    {"process_virtual_memory_bytes", kGauge, "bytes", "", "Virtual memory"},
    {"process_threads", kGauge, "threads", "", "Threads"},
    {"process_open_fds", kGauge, "descriptors", "", "Open file descriptors"},
    {"process_max_fds", kGauge, "descriptors", "", "Most file descriptors that may be open"},
    {"process_start_time_seconds", kGauge, "seconds since 1970", "", "When the server started"},
};

constexpr std::array<double, 17> kSeconds = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                             0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};
constexpr std::array<double, 12> kRows = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096};
constexpr std::array<double, 12> kFrequencies = {0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.75};
constexpr std::array<double, 9> kJobQueueSeconds = {0.1, 1, 10, 60, 300, 1800, 3600, 21600, 86400};

}  // namespace

absl::Span<const FamilyDefinition> AllFamilies() { return kFamilies; }

absl::Span<const double> SecondsBounds() { return kSeconds; }
absl::Span<const double> RowsBounds() { return kRows; }
absl::Span<const double> ActivationFrequencyBounds() { return kFrequencies; }
absl::Span<const double> JobQueueSecondsBounds() { return kJobQueueSeconds; }

}  // namespace kwta::server
