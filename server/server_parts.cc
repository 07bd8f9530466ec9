#include "server/server_parts.h"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "server/edge/connection_limits.h"
#include "server/edge/grpc_port.h"
#include "server/edge/transport_settings.h"
#include "server/jobs/reopening_job_store.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/listening_socket.h"
#include "server/metrics/model_use.h"
#include "server/model_reports.h"
#include "server/oip/inference_service.h"
#include "server/process.h"
#include "server/services/dataset_upload.h"
#include "server/services/grpc/transport.h"
#include "server/web/pages.h"

namespace kwta::server {
namespace {

// Calls that only look things up or write a record, and calls that may take as long as a file is large, so that the
// second never delay the first.
constexpr int kQuickThreads = 4;
constexpr int kSlowThreads = 8;
// Requests to a model whose full batch takes longer ride in smaller batches, so that no request waits long for the
// batch before its own.
constexpr absl::Duration kLongestBatch = absl::Milliseconds(5);

// The age at which temporary files of other servers are removed.
constexpr absl::Duration kForgotten = absl::Hours(24);

std::string ProgramBesideThis(const char* name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / name).string();
}

void TellRemoved(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) spdlog::info("removed '{}', which a server that ended early had left", path);
}

// Sends gRPC's messages to our log at debug level. What matters to the operator is in a status.
void LogForGrpc(gpr_log_func_args* args) { spdlog::debug("grpc: {}", args->message); }

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

// Bytes of bodies that the HTTP port holds at most.
int64_t HttpHeldLimit(const Options& options) {
  return std::max(HttpServerOptions().max_held_bytes, 4 * options.max_message_bytes);
}

// Returns null if TLS is off.
absl::StatusOr<std::unique_ptr<Certificates>> OpenCertificates(const Options& options, Certificates::Events events) {
  if (options.tls_certificate.empty()) return nullptr;
  return Certificates::Open(
      {options.tls_certificate, options.tls_key, options.tls_client_ca, options.tls_reload_seconds}, std::move(events));
}

// Returns null for plain HTTP.
absl::StatusOr<std::unique_ptr<TlsCredentials>> HttpCredentials(const Options& options, Certificates* certificates) {
  if (certificates == nullptr || options.insecure_http) return nullptr;
  return TlsCredentials::Open(certificates, [](const absl::Status& status) {
    spdlog::error("the HTTP port keeps the certificates it has: {}", std::string(status.message()));
  });
}

}  // namespace

std::vector<std::string> Server::Parts::DataDirectories() const {
  std::vector<std::string> directories = {state->datasets()};
  for (const std::string& each : options.data_directories) {
    std::error_code error;
    directories.push_back(std::filesystem::absolute(each, error).string());  // trainers may run in another directory
  }
  return directories;
}

absl::Status Server::Parts::StartSecurity() {
  if (!options.token_file.empty()) {
    Authenticator::Events events;
    events.read = [this](size_t tokens) { spdlog::info("{}: {} tokens are known", options.token_file, tokens); };
    events.failed = [](const absl::Status& status) {
      spdlog::error("the tokens known before stay: {}", std::string(status.message()));
    };
    KWTA_ASSIGN_OR_RETURN(authenticator, Authenticator::Open(options.token_file, std::move(events), {}));
  }
  return absl::OkStatus();
}

absl::Status Server::Parts::Check() {
  KWTA_RETURN_IF_ERROR(StartSecurity());
  KWTA_ASSIGN_OR_RETURN(certificates, OpenCertificates(options, {}));
  KWTA_RETURN_IF_ERROR(HttpCredentials(options, certificates.get()).status());
  KWTA_RETURN_IF_ERROR(StateDirectory::Check(options.state_directory));
  if (!options.model_directory.empty()) {
    KWTA_RETURN_IF_ERROR(ModelDirectory(options.model_directory).Scan().status());
  }
  Options one_thread = options;
  one_thread.threads = 1;
  KWTA_RETURN_IF_ERROR(open_backends(one_thread).status());
  KWTA_RETURN_IF_ERROR(CanListen(options.listen_address, "--listen"));
  return CanListen(options.http_address, "--http");
}

std::string Server::Parts::ModelsDirectory() const {
  return options.model_directory.empty() ? state->models() : options.model_directory;
}

absl::Status Server::Parts::WithoutStatePath(const absl::Status& status) const {
  return absl::Status(status.code(), absl::StrReplaceAll(status.message(), {{state->path() + "/", ""}}));
}

absl::Status Server::Parts::StoreTrouble() const { return WithoutStatePath(runner->trouble()); }

absl::Status Server::Parts::StartBase() {
  KWTA_ASSIGN_OR_RETURN(state, StateDirectory::Open(options.state_directory));
  KWTA_RETURN_IF_ERROR(StartComputing());
  metrics = std::make_unique<Metrics>(facts.version, facts.backend, facts.started);
  for (const Method* method : methods::kAll) metrics->calls().AddMethod(method->name);
  return StartHttp();
}

absl::Status Server::Parts::StartHttp() {
  Certificates::Events events;
  events.taken = [this](absl::Time expires) {
    metrics->SetCertificateExpiry(expires);
    spdlog::info("{} is the certificate now; it expires at {}", options.tls_certificate,
                 absl::FormatTime(absl::RFC3339_sec, expires, absl::UTCTimeZone()));
  };
  events.looked = [this](const absl::Status& status) {
    metrics->SetCertificatesRefused(!status.ok());
    if (status.ok()) {
      spdlog::info("the files of certificates are good again");
    } else {
      spdlog::error("the certificates used before stay: {}", std::string(status.message()));
    }
  };
  KWTA_ASSIGN_OR_RETURN(certificates, OpenCertificates(options, std::move(events)));
  pipeline = {&permits, authenticator.get(), metrics.get()};
  HttpPages pages;
  pages.metrics = [this] {
    if (ready && !draining) metrics->jobs().SetWaitingForStore(!StoreTrouble().ok());
    if (certificates != nullptr) certificates->Current();  // reports their state even if nobody connects
    return metrics->Render(Gauges());
  };
  pages.trouble = [this] { return Trouble(); };
  pages.may_see = MayBrowse();
  pages.not_ready = [this]() -> std::string {
    if (draining) return "draining";
    return ready ? acceptor->trouble() : "starting";
  };
  HttpRoutes monitoring;
  AddMonitoringPages(std::move(pages), &monitoring);
  KWTA_ASSIGN_OR_RETURN(std::unique_ptr<TlsCredentials> tls, HttpCredentials(options, certificates.get()));
  facts.http_tls = tls != nullptr;
  HttpServerOptions http_options;
  http_options.address = options.http_address;
  http_options.max_connections = HttpConnectionsFor(DescriptorLimit());
  http_options.series = &metrics->connections();
  http_options.body_time = absl::Seconds(options.body_timeout_seconds);
  http_options.accept_compression = options.accept_compression;
  http_options.max_held_bytes = HttpHeldLimit(options);
  auto starting = std::make_shared<HttpRoutes>(monitoring);
  starting->SetMissing(absl::UnavailableError("the server starts and serves only /metrics, /healthz and /readyz yet"));
  KWTA_ASSIGN_OR_RETURN(http, HttpServer::Start(http_options, std::move(tls), &pipeline, std::move(starting)));
  http_routes = std::make_unique<HttpRoutes>(std::move(monitoring));
  facts.http_address = WithPort(options.http_address, http->port());
  TellRemoved(DatasetUpload::Clean(state->datasets()));
  return absl::OkStatus();
}

ServerGauges Server::Parts::Gauges() const {
  ServerGauges gauges;
  gauges.ready = ready && !draining;
  gauges.calls = permits.taken();
  gauges.calls_limit = permits.limit();
  gauges.queue_rows_limit = options.max_queue_rows;
  gauges.queue_bytes_limit = options.max_queue_bytes;
  gauges.state_directory = state->path();
  gauges.grpc_held.limit = options.max_held_bytes;
  gauges.http_held.limit = HttpHeldLimit(options);
  gauges.health_watchers_limit = options.max_health_watchers;
  gauges.device = MeasureDevice();
  if (!ready) return gauges;  // there may be no batcher yet
  gauges.grpc_held.bytes = watch->held_bytes();
  gauges.http_held.bytes = http->held_bytes();
  gauges.quick_calls_waiting = quick_threads->waiting();
  gauges.slow_calls_waiting = slow_threads->waiting();
  gauges.control_calls_limit = quick_threads->most_waiting();
  gauges.health_watchers = health->watchers();
  const QueueSize waiting = batcher->Waiting();
  gauges.queue_requests = waiting.requests;
  gauges.queue_rows = waiting.rows;
  gauges.queue_bytes = waiting.bytes;
  return gauges;
}

absl::Status Server::Parts::StartModels() {
  // In a shared directory, another server may be writing at this moment.
  const bool shared = !options.model_directory.empty();
  TellRemoved(ModelDirectory(ModelsDirectory()).RemoveDebris(shared ? kForgotten : absl::ZeroDuration()));
  ModelManagerOptions model_options;
  model_options.memory_bytes = options.model_memory_bytes;
  model_options.warm_up_rows = options.max_batch_rows;
  model_options.stopping = stopping;
  KWTA_ASSIGN_OR_RETURN(
      models, ModelManager::Open(
                  ModelsDirectory(), model_options,
                  [this](const ModelBundle& bundle) { return placer->Create(bundle); }, ReportModelsTo(metrics.get())));
  models->Start();
  KWTA_ASSIGN_OR_RETURN(follower, ModelFollower::Start(ModelsDirectory(), absl::Seconds(options.model_poll_seconds),
                                                       models.get(), [](const absl::Status& status) {
                                                         spdlog::error("models: {}", status.ToString());
                                                       }));
  return absl::OkStatus();
}

absl::Status Server::Parts::StartJobs() {
  // The server serves models whether or not the store opens.
  store = OpenWhenPossible([this]() -> absl::StatusOr<std::unique_ptr<JobStore>> {
    absl::StatusOr<std::unique_ptr<JobStore>> opened = OpenSqliteJobStore(state->database());
    if (!opened.ok()) return WithoutStatePath(opened.status());
    return opened;
  });
  const auto count = [this] { metrics->jobs().Count([this] { return store->Count(); }); };
  count();
  JobJournal::Events journal_events;
  journal_events.changed = [count](const v1::Job&) { count(); };
  journal_events.not_stored = [this](const absl::Status&) { metrics->jobs().StoreWriteFailed(); };
  journal = std::make_unique<JobJournal>(store.get(), std::move(journal_events));
  JobRunnerOptions runner_options;
  runner_options.trainer_program =
      options.trainer_path.empty() ? ProgramBesideThis("kwta-trainer") : options.trainer_path;
  runner_options.taken_up = count;
  runner_options.jobs_directory = state->jobs();
  runner_options.data_directories = DataDirectories();
  runner_options.backend = options.backend;
  runner_options.device = options.device;
  runner_options.max_running_jobs = options.max_running_jobs;
  runner_options.max_queued_jobs = options.max_queued_jobs;
  runner_options.trainer_niceness = options.trainer_niceness;
  if (options.trainer_niceness > 0) runner_options.priority = &trainer_priority;
  runner_options.stop_grace = absl::Seconds(options.trainer_stop_seconds);
  if (::access(runner_options.trainer_program.c_str(), X_OK) != 0) {
    spdlog::warn("there is no trainer at '{}': training jobs will fail; name kwta-trainer with --trainer",
                 runner_options.trainer_program);
  }
  runner = std::make_unique<JobRunner>(std::move(runner_options), journal.get(), models.get(), metrics.get());
  return absl::OkStatus();
}

void Server::Parts::StartBatcher() {
  BatcherEvents batcher_events;
  batcher_events.batch_done = [](const ServedModel& model, int64_t rows, absl::Duration compute) {
    Metrics::BatchDone(model, rows, absl::ToDoubleSeconds(compute));
    if (model.use != nullptr && model.use->NotePath(*model.encoder)) TellPath(model);
  };
  batcher_events.queue_left = [this](const ServedModel& model, absl::Duration queued) {
    trainer_priority.EncodeIsInUse(SteadyTime::Now());
    Metrics::QueueLeft(model, absl::ToDoubleSeconds(queued));
  };
  batcher_events.encoded = [this](const ServedModelPtr& model, const RowsView& rows, const Codes& codes) {
    metrics->RowsEncoded(*model, codes);
    drift->Offer(model, rows);
  };
  batcher_events.answering = [this] { loop->BeginPosting(); };
  batcher_events.answered = [this] { loop->EndPosting(); };
  BatcherOptions batcher_options = {options.max_batch_rows, options.max_queue_rows, options.max_queue_bytes};
  if (options.max_queue_milliseconds > 0) {
    batcher_options.max_queue_time = absl::Milliseconds(options.max_queue_milliseconds);
  }
  batcher_options.max_batch_time = kLongestBatch;
  batcher_options.linger = absl::Milliseconds(options.batch_linger_milliseconds);
  drift = std::make_unique<DriftSampler>();
  drift->Start();
  std::function<bool(const ServedModel&)> on_device;
  if (device != nullptr) {
    on_device = [](const ServedModel& model) { return PlacedEncoder::IsOnDevice(*model.encoder); };
  }
  batcher = std::make_unique<BatchLanes>(batcher_options, std::move(batcher_events), std::move(on_device));
  batcher->Start();
  loop->Leave({[this] { batcher->ComputeOnThisThread(); }, [this] { return batcher->keeps(); },
               [this] { batcher->RunKept(); }, [this] { batcher->HandOverKept(); }});
}

void Server::Parts::MakeHandlers() {
  encode_handler = std::make_unique<EncodeHandler>(models.get(), batcher.get(), options.max_message_bytes);
  dataset_handler = std::make_unique<DatasetHandler>(journal.get(), DataDirectories());
  job_handler = std::make_unique<JobHandler>(journal.get(), runner.get(), models.get(), dataset_handler.get());
  model_handler = std::make_unique<ModelHandler>(models.get());
  InferenceHandlerParts inference;
  inference.models = models.get();
  inference.encode = encode_handler.get();
  inference.ready = [this] { return ready && !draining; };
  inference.version = facts.version;
  inference.max_message_bytes = options.max_message_bytes;
  inference.max_batch_rows = options.max_batch_rows;
  inference.non_finite = options.oip_non_finite == "zero" ? v1::NON_FINITE_ZERO : v1::NON_FINITE_REFUSE;
  inference_handler = std::make_unique<InferenceHandler>(std::move(inference));
}

std::optional<bool> Server::Parts::ModelServes(absl::string_view name) const {
  const absl::StatusOr<ModelInfo> info = models->Info(name);
  if (!info.ok()) return std::nullopt;
  return info->stable != 0;
}

void Server::Parts::MakeMethods() {
  quick_threads = std::make_unique<ControlThreads>(ControlThreads::Options{"look up or record", kQuickThreads});
  slow_threads = std::make_unique<ControlThreads>(ControlThreads::Options{"read or write files", kSlowThreads});
  bodies = std::make_unique<TimeoutList>(absl::Seconds(options.body_timeout_seconds));
  loop->EverySecond([this] { bodies->Expire(); });
  site = {loop.get(),         &pipeline,
          bodies.get(),       quick_threads.get(),
          slow_threads.get(), [this](const std::string& peer) { return watch->ExpectSmall(peer); }};
  EncoderMethodParts parts;
  parts.encode = encode_handler.get();
  parts.jobs = job_handler.get();
  parts.datasets = dataset_handler.get();
  parts.models = model_handler.get();
  parts.status = [this] { return Status(); };
  parts.site = &site;
  parts.upload_directory = state->datasets();
  parts.max_upload_bytes = options.max_upload_bytes;
  parts.max_stream_messages = options.max_stream_messages;
  parts.max_stream_bytes = options.max_message_bytes;
  encoder_methods = std::make_unique<EncoderMethods>(std::move(parts));
  encoder_methods->AddTo(&methods);
  AddInferenceMethods(&methods, inference_handler.get(), &site);
  const std::vector<std::string> services = methods.Services();
  HealthService::Parts health_parts;
  health_parts.services.insert(services.begin(), services.end());
  health_parts.model_serves = [this](absl::string_view name) { return ModelServes(name); };
  health_parts.max_watchers = options.max_health_watchers;
  health_parts.site = &site;
  health = std::make_unique<HealthService>(std::move(health_parts));
  health->AddTo(&methods);
  reflection = std::make_unique<ReflectionService>(&methods, &site);
  reflection->AddTo(&methods);
  listener = std::make_unique<CallListener>(&methods, &pipeline, loop.get(), options.max_message_bytes);
}

absl::Status Server::Parts::StartGrpc() {
  KWTA_ASSIGN_OR_RETURN(acceptor, OpenGrpcPort(options, &metrics->connections()));
  grpc_port = acceptor->port();
  grpc_address = WithPort(options.listen_address, grpc_port);
  gpr_set_log_function(&LogForGrpc);
  grpc::ServerBuilder builder;
  SetUpTransport(options.accept_compression, &builder);
  builder.SetMaxReceiveMessageSize(-1);  // calls refuse larger ones in words, and count them
  builder.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  credentials = CredentialsOf(certificates.get());
  connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  loop = std::make_unique<CompletionLoop>(builder.AddCompletionQueue());
  StartBatcher();
  MakeHandlers();
  MakeMethods();
  listener->Register(&builder);
  grpc = builder.BuildAndStart();
  if (grpc == nullptr) return absl::UnavailableError("cannot serve gRPC: too few threads or descriptors");
  listener->Listen();
  loop->Start();
  watch = WatchGrpcPort(options, acceptor.get(), metrics.get());
  acceptor->Start([this](int descriptor, const std::string& host, bool offender) {
    watch->Expect(descriptor, host, offender);
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.fd = descriptor;
    connections->HandleNewConnection(&connection);
  });
  return absl::OkStatus();
}

}  // namespace kwta::server
