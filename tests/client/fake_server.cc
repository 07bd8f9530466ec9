#include "tests/client/fake_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "kwta/v1/service.grpc.pb.h"

namespace kwta::client {
namespace {

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

grpc::Status Broken() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken on purpose"); }

}  // namespace

class FakeServer::Service : public v1::EncoderService::Service {
 public:
  Service(FakeServer& fake, int max_message_bytes) : fake_(fake) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.SetMaxReceiveMessageSize(max_message_bytes);
    builder.SetMaxSendMessageSize(max_message_bytes);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }
  ~Service() override { server_->Shutdown(std::chrono::system_clock::now()); }

  int port() const { return port_; }

  grpc::Status Train(grpc::ServerContext*, const v1::TrainRequest* request, v1::TrainResponse* response) override {
    {
      const absl::MutexLock lock(&fake_.mutex_);
      fake_.train_requests_.push_back(*request);
    }
    const absl::Status status = fake_.Begin();
    response->mutable_job()->set_id(request->job_id());
    return ToGrpc(status);
  }

  grpc::Status Encode(grpc::ServerContext* context, const v1::EncodeRequest* request,
                      v1::EncodeResponse* response) override {
    if (HangsNow()) {
      while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));  // the library has nothing to wait for
      if (!fake_.cancelled_.HasBeenNotified()) fake_.cancelled_.Notify();
      return grpc::Status(grpc::StatusCode::CANCELLED, "nobody waits any more");
    }
    const absl::Status status = fake_.Begin();
    if (status.ok()) *response = fake_.Encode(*request);
    return ToGrpc(status);
  }

  grpc::Status EncodeStream(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::EncodeStreamResponse, v1::EncodeStreamRequest>* stream) override {
    const absl::Status status = fake_.Begin();
    if (!status.ok()) return ToGrpc(status);
    const int break_after = BreakAfter();
    v1::EncodeStreamRequest request;
    for (int answers = 0; stream->Read(&request); ++answers) {
      if (break_after > 0 && answers == break_after) return Broken();
      v1::EncodeStreamResponse response;
      response.set_request_id(request.request_id());
      if (request.request().model() == "unknown") {
        response.mutable_error()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
        response.mutable_error()->set_message("no model 'unknown'");
      } else {
        *response.mutable_response() = fake_.Encode(request.request());
      }
      stream->Write(response);
    }
    return grpc::Status::OK;
  }

  // Doubles every byte.
  grpc::Status Reconstruct(grpc::ServerContext*, const v1::ReconstructRequest* request,
                           v1::ReconstructResponse* response) override {
    response->set_model_version(1);
    *response->mutable_output()->mutable_shape() = request->input().shape();
    for (const char byte : request->input().raw()) {
      response->mutable_output()->add_floats(2.0f * static_cast<unsigned char>(byte));
    }
    return ToGrpc(fake_.Begin());
  }

  grpc::Status Status(grpc::ServerContext*, const v1::StatusRequest*, v1::StatusResponse* response) override {
    response->set_kwta_version("fake");
    return ToGrpc(fake_.Begin());
  }

  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobEvent>* writer) override {
    std::vector<v1::JobEvent> events;
    {
      const absl::MutexLock lock(&fake_.mutex_);
      fake_.watches_.push_back(request->after_sequence());
      events = fake_.events_;
    }
    if (!fake_.watched_.HasBeenNotified()) fake_.watched_.Notify();
    const absl::Status status = fake_.Begin();
    if (!status.ok()) return ToGrpc(status);
    const int break_after = BreakAfter();
    int sent = 0;
    for (const v1::JobEvent& event : events) {
      if (event.sequence() <= request->after_sequence()) continue;
      if (break_after > 0 && sent++ == break_after) return Broken();
      writer->Write(event);
    }
    return grpc::Status::OK;
  }

  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    const absl::MutexLock lock(&fake_.mutex_);
    if (request->job_id() == fake_.job_.id()) *response->add_jobs() = fake_.job_;
    return grpc::Status::OK;
  }

  grpc::Status UploadDataset(grpc::ServerContext*, grpc::ServerReader<v1::UploadDatasetRequest>* reader,
                             v1::UploadDatasetResponse* response) override {
    const absl::Status status = fake_.Begin();
    if (!status.ok()) return ToGrpc(status);
    v1::UploadDatasetRequest request;
    const absl::MutexLock lock(&fake_.mutex_);
    while (reader->Read(&request)) {
      if (request.has_header()) {
        fake_.upload_header_ = request.header();
        fake_.uploaded_.clear();
      } else {
        fake_.uploaded_ += request.chunk();
      }
    }
    response->set_path(fake_.upload_header_.path());
    return grpc::Status::OK;
  }

 private:
  bool HangsNow() {
    const absl::MutexLock lock(&fake_.mutex_);
    if (fake_.encodes_to_hang_ == 0) return false;
    --fake_.encodes_to_hang_;
    ++fake_.calls_;
    return true;
  }

  int BreakAfter() {
    const absl::MutexLock lock(&fake_.mutex_);
    return fake_.break_after_;
  }

  FakeServer& fake_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

FakeServer::FakeServer(int max_message_bytes) : service_(std::make_unique<Service>(*this, max_message_bytes)) {}

FakeServer::~FakeServer() {
  released_.Notify();
  service_.reset();
}

std::string FakeServer::address() const { return absl::StrCat("127.0.0.1:", service_->port()); }

void FakeServer::FailNext(std::vector<absl::Status> failures) {
  const absl::MutexLock lock(&mutex_);
  failures_ = std::move(failures);
}

void FakeServer::BreakStreamsAfter(int messages) {
  const absl::MutexLock lock(&mutex_);
  break_after_ = messages;
}

void FakeServer::Hang() {
  const absl::MutexLock lock(&mutex_);
  hang_ = true;
}

void FakeServer::HangEncodes(int calls) {
  const absl::MutexLock lock(&mutex_);
  encodes_to_hang_ = calls;
}

void FakeServer::AwaitCancelled() { cancelled_.WaitForNotification(); }

void FakeServer::SetJob(v1::Job job, std::vector<v1::JobEvent> events) {
  const absl::MutexLock lock(&mutex_);
  job_ = std::move(job);
  events_ = std::move(events);
}

std::vector<v1::EncodeRequest> FakeServer::encode_requests() const {
  const absl::MutexLock lock(&mutex_);
  return encode_requests_;
}

std::vector<v1::TrainRequest> FakeServer::train_requests() const {
  const absl::MutexLock lock(&mutex_);
  return train_requests_;
}

std::vector<uint64_t> FakeServer::watches() const {
  const absl::MutexLock lock(&mutex_);
  return watches_;
}

int FakeServer::calls() const {
  const absl::MutexLock lock(&mutex_);
  return calls_;
}

v1::UploadDatasetHeader FakeServer::upload_header() const {
  const absl::MutexLock lock(&mutex_);
  return upload_header_;
}

std::string FakeServer::uploaded() const {
  const absl::MutexLock lock(&mutex_);
  return uploaded_;
}

absl::Status FakeServer::Begin() {
  bool hang;
  {
    const absl::MutexLock lock(&mutex_);
    ++calls_;
    hang = hang_;
    if (!failures_.empty()) {
      const absl::Status failure = failures_.front();
      failures_.erase(failures_.begin());
      return failure;
    }
  }
  if (hang) released_.WaitForNotification();
  return absl::OkStatus();
}

v1::EncodeResponse FakeServer::Encode(const v1::EncodeRequest& request) {
  v1::EncodeResponse response;
  response.set_code_width(kUnits);
  response.mutable_stats()->set_queue_ns(10);
  response.mutable_stats()->set_compute_ns(100);
  {
    const absl::MutexLock lock(&mutex_);
    encode_requests_.push_back(request);
    response.set_model_version(request.version() == 0 ? ++version_ : request.version());
  }
  if (request.input().shape().empty()) return response;
  const int k = request.options().has_k() ? static_cast<int>(request.options().k()) : kDefaultK;
  const v1::OutputMode mode = request.options().output();
  const int64_t rows = request.input().shape(0), width = request.input().shape(1);
  response.mutable_stats()->set_batch_rows(rows);
  if (mode == v1::OUTPUT_MODE_DENSE) {
    response.mutable_dense()->add_shape(rows);
    response.mutable_dense()->add_shape(kUnits);
  } else if (mode == v1::OUTPUT_MODE_SPARSE_CSR) {
    response.mutable_csr()->add_row_offsets(0);
  }
  for (int64_t row = 0; row < rows; ++row) {
    const int first = static_cast<unsigned char>(request.input().raw()[row * width]);
    std::vector<int> units;
    for (int i = 0; i < k; ++i) units.push_back((first + i) % kUnits);
    std::sort(units.begin(), units.end());
    const auto value = [&](int unit) { return static_cast<float>(first) + static_cast<float>(unit) / 100; };
    if (mode == v1::OUTPUT_MODE_DENSE) {
      for (int unit = 0; unit < kUnits; ++unit) {
        const bool active = std::find(units.begin(), units.end(), unit) != units.end();
        response.mutable_dense()->add_floats(active ? value(unit) : 0);
      }
      continue;
    }
    for (const int unit : units) {
      if (mode == v1::OUTPUT_MODE_SPARSE_CSR) {
        response.mutable_csr()->add_indices(unit);
        response.mutable_csr()->add_values(value(unit));
      } else {
        response.mutable_top_k()->set_k(k);
        response.mutable_top_k()->add_indices(unit);
        response.mutable_top_k()->add_values(value(unit));
      }
    }
    if (mode == v1::OUTPUT_MODE_SPARSE_CSR) response.mutable_csr()->add_row_offsets((row + 1) * k);
  }
  return response;
}

}  // namespace kwta::client
