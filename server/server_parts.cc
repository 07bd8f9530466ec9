#include "server/server_parts.h"

#include <grpc/support/log.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/backends/backend_registry.h"
#include "core/base/status_macros.h"
#include "core/base/version.h"
#include "core/encoders/encoder_registry.h"
#include "server/compute_priority.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/model_reports.h"
#include "server/oip/inference_service.h"
#include "server/services/dataset_upload.h"
#include "server/services/transport.h"

namespace kwta::server {
namespace {

constexpr const char* kServiceNames[] = {"kwta.v1.EncoderService", "inference.GRPCInferenceService"};
// gRPC's own threads, and calls that get as far as being refused in words.
constexpr int kSpareThreads = 64;
constexpr int kFrameBytes = 256 << 10;
constexpr int kReadBytes = 64 << 10;
// Requests to a model that takes longer for a full batch ride in smaller ones, so that none waits long for the batch
// before its own.
constexpr absl::Duration kLongestBatch = absl::Milliseconds(5);

std::string ProgramBesideThis(const char* name) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / name).string();
}

// gRPC's own words go where ours do, for those who want them: what matters to the operator is said in a status.
void LogForGrpc(gpr_log_func_args* args) { spdlog::debug("grpc: {}", args->message); }

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

TlsFiles TlsFilesOf(const Options& options) {
  return {options.tls_certificate, options.tls_key, options.tls_client_ca, options.tls_reload_seconds};
}

// Null: plain HTTP.
absl::StatusOr<std::unique_ptr<TlsCredentials>> HttpCredentials(const Options& options) {
  if (options.tls_certificate.empty() || options.insecure_http) return nullptr;
  return TlsCredentials::Open(TlsFilesOf(options), [](const absl::Status& status) {
    spdlog::error("the HTTP port keeps the certificates it has: {}", std::string(status.message()));
  });
}

}  // namespace

std::vector<std::string> Server::Parts::DataDirectories() const {
  std::vector<std::string> directories = {state->datasets()};
  for (const std::string& each : options.data_directories) {
    std::error_code error;
    directories.push_back(std::filesystem::absolute(each, error).string());  // trainers need not share our directory
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
    KWTA_ASSIGN_OR_RETURN(authenticator, Authenticator::Open(options.token_file, std::move(events)));
  }
  return absl::OkStatus();
}

absl::Status Server::Parts::CheckTls() const {
  KWTA_RETURN_IF_ERROR(HttpCredentials(options).status());
  return CredentialsOf(TlsFilesOf(options)).status();
}

std::string Server::Parts::ModelsDirectory() const {
  return options.model_directory.empty() ? state->models() : options.model_directory;
}

absl::Status Server::Parts::StartBase() {
  KWTA_ASSIGN_OR_RETURN(state, StateDirectory::Open(options.state_directory));
  BackendOptions backend_options;
  backend_options.threads = options.threads;
  absl::StatusOr<std::shared_ptr<Backend>> created;
  // The backend's threads inherit the priority of the thread that makes them.
  std::thread([&] {
    LowerPriorityOfComputing();
    created = CreateBackend(options.backend, backend_options);
  }).join();
  KWTA_ASSIGN_OR_RETURN(backend, std::move(created));
  facts = {kVersion, absl::Now(), backend->name(), backend->threads(), "", options.max_message_bytes};
  metrics = std::make_unique<Metrics>(facts.version, facts.backend, facts.started);
  HttpPages pages;
  pages.metrics = [this] { return metrics->Render(); };
  if (authenticator != nullptr) {
    pages.may_see = [this](const std::string& header) {
      return authenticator->Authenticate(header, std::nullopt).status();
    };
  }
  pages.not_ready = [this] { return draining ? "draining" : ready ? "" : "starting"; };
  KWTA_ASSIGN_OR_RETURN(std::unique_ptr<TlsCredentials> tls, HttpCredentials(options));
  facts.http_tls = tls != nullptr;
  KWTA_ASSIGN_OR_RETURN(http, HttpServer::Start(options.http_address, std::move(tls), std::move(pages)));
  facts.http_address = WithPort(options.http_address, http->port());
  DatasetUpload::Clean(state->datasets());
  return absl::OkStatus();
}

absl::Status Server::Parts::StartModels() {
  ModelManagerOptions model_options;
  model_options.memory_bytes = options.model_memory_bytes;
  model_options.warm_up_rows = options.max_batch_rows;
  KWTA_ASSIGN_OR_RETURN(models, ModelManager::Open(
                                    ModelsDirectory(), model_options,
                                    [this](const ModelBundle& bundle) { return CreateEncoder(bundle, backend); },
                                    ReportModelsTo(metrics.get())));
  models->Start();
  KWTA_ASSIGN_OR_RETURN(follower, ModelFollower::Start(ModelsDirectory(), absl::Seconds(options.model_poll_seconds),
                                                       models.get(), [](const absl::Status& status) {
                                                         spdlog::error("models: {}", status.ToString());
                                                       }));
  return absl::OkStatus();
}

absl::Status Server::Parts::StartJobs() {
  KWTA_ASSIGN_OR_RETURN(store, OpenSqliteJobStore(state->database()));
  const auto count = [this] {
    const absl::StatusOr<JobCounts> counts = store->Count();
    if (counts.ok()) metrics->SetJobs(*counts);
  };
  count();
  journal = std::make_unique<JobJournal>(store.get(), [count](const v1::Job&) { count(); });
  JobRunnerOptions runner_options;
  runner_options.trainer_program =
      options.trainer_path.empty() ? ProgramBesideThis("kwta-trainer") : options.trainer_path;
  runner_options.jobs_directory = state->jobs();
  runner_options.data_directories = DataDirectories();
  runner_options.backend = options.backend;
  runner_options.max_running_jobs = options.max_running_jobs;
  runner_options.max_queued_jobs = options.max_queued_jobs;
  runner_options.trainer_niceness = options.trainer_niceness;
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
  batcher_events.batch_done = [this](int64_t rows, absl::Duration compute) {
    metrics->BatchDone(rows, absl::ToDoubleSeconds(compute));
  };
  batcher_events.queue_left = [this](absl::Duration queued) { metrics->QueueLeft(absl::ToDoubleSeconds(queued)); };
  batcher_events.encoded = [this](const ServedModel& model, const Codes& codes) {
    metrics->RowsEncoded(model.name, model.version, codes);
  };
  batcher_events.answering = [this] { loop->BeginPosting(); };
  batcher_events.answered = [this] { loop->EndPosting(); };
  BatcherOptions batcher_options = {options.max_batch_rows, options.max_queue_rows, options.max_queue_bytes};
  if (options.max_queue_milliseconds > 0) {
    batcher_options.max_queue_time = absl::Milliseconds(options.max_queue_milliseconds);
  }
  batcher_options.max_batch_time = kLongestBatch;
  batcher_options.linger = absl::Milliseconds(options.batch_linger_milliseconds);
  batcher = std::make_unique<Batcher>(batcher_options, std::move(batcher_events));
  batcher->Start();
}

void Server::Parts::MakeHandlers() {
  encode_handler = std::make_unique<EncodeHandler>(models.get(), batcher.get(), options.max_message_bytes);
  job_handler = std::make_unique<JobHandler>(journal.get(), runner.get(), models.get(), DataDirectories());
  model_handler = std::make_unique<ModelHandler>(models.get());
  InferenceHandlerParts inference;
  inference.models = models.get();
  inference.encode = encode_handler.get();
  inference.ready = [this] { return ready && !draining; };
  inference.version = facts.version;
  inference.max_message_bytes = options.max_message_bytes;
  inference.max_batch_rows = options.max_batch_rows;
  inference_handler = std::make_unique<InferenceHandler>(std::move(inference));
}

void Server::Parts::MakeServices() {
  pipeline = {&permits, authenticator.get(), metrics.get()};
  EncoderServiceParts parts;
  parts.encode = encode_handler.get();
  parts.jobs = job_handler.get();
  parts.models = model_handler.get();
  parts.status = [this] { return ReportStatus(facts, draining, *models, *store, *metrics); };
  parts.pipeline = &pipeline;
  parts.loop = loop.get();
  parts.upload_directory = state->datasets();
  parts.max_upload_bytes = options.max_upload_bytes;
  parts.max_stream_messages = options.max_stream_messages;
  parts.max_stream_bytes = options.max_message_bytes;
  parts.healthy_services = {std::begin(kServiceNames), std::end(kServiceNames)};
  service = NewEncoderService(std::move(parts));
  inference_service = NewInferenceService(inference_handler.get(), &pipeline);
  unserved = std::make_unique<UnservedMethods>(&pipeline, loop.get());
}

absl::Status Server::Parts::StartGrpc() {
  gpr_set_log_function(&LogForGrpc);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  // Without this a second server on the port would silently share the traffic.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // Hundreds of rows are read at once, not in dozens of small frames and pauses for the sender's window.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kFrameBytes);
  builder.AddChannelArgument(GRPC_ARG_TCP_READ_CHUNK_SIZE, kReadBytes);
  grpc::ResourceQuota quota;
  quota.SetMaxThreads(options.max_concurrent_calls + kSpareThreads);
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  builder.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  KWTA_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials, CredentialsOf(TlsFilesOf(options)));
  builder.AddListeningPort(options.listen_address, credentials, &grpc_port);
  loop = std::make_unique<CompletionLoop>(builder.AddCompletionQueue());
  StartBatcher();
  MakeHandlers();
  MakeServices();
  service->Register(&builder);
  builder.RegisterService(inference_service.get());
  unserved->Register(&builder);
  grpc = builder.BuildAndStart();
  if (grpc == nullptr || grpc_port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on '", options.listen_address,
                                               "' for gRPC; the port may be in use: choose another with --listen"));
  }
  grpc_address = WithPort(options.listen_address, grpc_port);
  service->Start();
  unserved->Listen();
  loop->Start();
  return absl::OkStatus();
}

}  // namespace kwta::server
