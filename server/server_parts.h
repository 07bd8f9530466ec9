// The parts of a server and how each one starts. Private to server.cc.
#pragma once

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/batching/batch_lanes.h"
#include "server/edge/acceptor.h"
#include "server/edge/connection_watch.h"
#include "server/jobs/job_journal.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/jobs/trainer_priority.h"
#include "server/metrics/drift_sampler.h"
#include "server/metrics/metrics.h"
#include "server/models/model_follower.h"
#include "server/models/model_manager.h"
#include "server/oip/inference_handler.h"
#include "server/options.h"
#include "server/placement/compute_backends.h"
#include "server/placement/model_placer.h"
#include "server/placement/serving_device.h"
#include "server/security/authenticator.h"
#include "server/security/certificates.h"
#include "server/server.h"
#include "server/services/call.h"
#include "server/services/call_permits.h"
#include "server/services/control_threads.h"
#include "server/services/dataset_handler.h"
#include "server/services/encode_handler.h"
#include "server/services/grpc/call_listener.h"
#include "server/services/grpc/completion_loop.h"
#include "server/services/grpc/encoder_methods.h"
#include "server/services/grpc/health_service.h"
#include "server/services/grpc/reflection_service.h"
#include "server/services/grpc/timeout_list.h"
#include "server/services/job_handler.h"
#include "server/services/model_handler.h"
#include "server/services/status_report.h"
#include "server/state_directory.h"
#include "server/web/api/api_routes.h"
#include "server/web/http_server.h"

namespace kwta::server {

// Use it from one thread until everything has started; after that any thread may use `draining` and `ready`. Parts are
// in order of dependence: a later part may use earlier ones and is destroyed before them.
struct Server::Parts {
  Parts(const Options& options, OpenBackends open_backends)
      : options(options), open_backends(std::move(open_backends)), permits(options.max_concurrent_calls) {}
  // The HTTP port's thread reads the other parts, so it ends before any of them.
  ~Parts() { http.reset(); }

  const Options options;
  const OpenBackends open_backends;
  std::function<bool()> stopping;  // see Server::Start
  ServerFacts facts;
  std::atomic<bool> ready{false};
  std::atomic<bool> draining{false};
  bool drained = false;
  int grpc_port = 0;
  std::string grpc_address;
  CallPermits permits;
  std::unique_ptr<Authenticator> authenticator;

  std::unique_ptr<StateDirectory> state;
  std::shared_ptr<ServingDevice> device;  // null: processors compute
  absl::Status no_device;                 // why, if one was looked for
  std::unique_ptr<ModelPlacer> placer;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<Certificates> certificates;  // null: no TLS
  CallPipeline pipeline;
  std::unique_ptr<HttpRoutes> http_routes;  // gathered until ServeHttp
  std::unique_ptr<HttpServer> http;
  std::unique_ptr<JobStore> store;
  std::unique_ptr<JobJournal> journal;
  std::unique_ptr<ModelManager> models;
  std::unique_ptr<ModelFollower> follower;
  TrainerPriority trainer_priority;
  std::unique_ptr<JobRunner> runner;
  std::unique_ptr<CompletionLoop> loop;
  std::unique_ptr<DriftSampler> drift;
  std::unique_ptr<BatchLanes> batcher;
  std::unique_ptr<EncodeHandler> encode_handler;
  std::unique_ptr<DatasetHandler> dataset_handler;
  std::unique_ptr<JobHandler> job_handler;
  std::unique_ptr<ModelHandler> model_handler;
  std::unique_ptr<InferenceHandler> inference_handler;
  std::unique_ptr<StatusApi> status_api;
  std::unique_ptr<ControlThreads> quick_threads, slow_threads;
  std::unique_ptr<TimeoutList> bodies;
  CallSite site;
  MethodTable methods;
  std::unique_ptr<EncoderMethods> encoder_methods;
  std::unique_ptr<HealthService> health;
  std::unique_ptr<ReflectionService> reflection;
  std::unique_ptr<CallListener> listener;
  std::shared_ptr<grpc::ServerCredentials> credentials;
  std::unique_ptr<grpc::Server> grpc;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections;  // gives them to `grpc`
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<ConnectionWatch> watch;

  // Call these in this order. The gRPC port answers at the end. Errors: those of Server::Start.
  absl::Status StartSecurity();
  absl::Status StartBase();
  absl::Status StartHttp();
  absl::Status StartModels();
  absl::Status StartJobs();
  absl::Status StartGrpc();
  // Has the HTTP port serve what needs the other parts, besides what monitoring reads.
  void ServeHttp();
  // Checks whether all of these would succeed; see Server::Check.
  absl::Status Check();
  std::vector<std::string> DataDirectories() const;
  std::string ModelsDirectory() const;
  // Callers need not know where on this machine things are.
  absl::Status WithoutStatePath(const absl::Status& status) const;
  // OK, or the reason why jobs wait for the store.
  absl::Status StoreTrouble() const;
  // The device that encodes, or the one that is missing.
  std::optional<DeviceState> Device() const;
  DeviceGauges MeasureDevice() const;
  // What does not work although calls are served; empty if all does.
  std::string Trouble() const;
  v1::StatusResponse Status() const;
  // What a scrape measures now. REQUIRES: StartBase has opened the state directory.
  ServerGauges Gauges() const;

 private:
  // Opens the backends.
  absl::Status StartComputing();
  // Parts of StartGrpc; each needs those before it.
  void StartBatcher();
  void MakeHandlers();
  void MakeMethods();
  std::optional<bool> ModelServes(absl::string_view name) const;
  void MakeStatusApi();
  // Who may see metrics and the status page, by the header Authorization. Null: everybody.
  std::function<absl::Status(const std::string& authorization)> MayBrowse() const;
};

}  // namespace kwta::server
