#include "server/services/encoder_service.h"

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "core/base/status_macros.h"
#include "kwta/v1/service.grpc.pb.h"
#include "server/jobs/job_events.h"
#include "server/services/dataset_upload.h"
#include "server/services/ordered_answers.h"
#include "server/services/status_converter.h"

namespace kwta::server {
namespace {

// Told to clients that were refused for lack of room: when to try again.
constexpr char kPushbackHeader[] = "grpc-retry-pushback-ms";
constexpr char kPushbackMilliseconds[] = "100";

CallContext ContextOf(const grpc::ServerContext* context) {
  return {absl::FromChrono(context->deadline()), [context] { return context->IsCancelled(); }};
}

// Starts a request and waits for its rows.
template <typename Request>
absl::StatusOr<EncodedRows> WaitForRows(EncodeHandler* handler, const Request& request, CallContext context) {
  absl::Notification finished;
  absl::StatusOr<EncodedRows> rows;
  handler->Start(request, std::move(context), [&rows, &finished](absl::StatusOr<EncodedRows> result) {
    rows = std::move(result);
    finished.Notify();
  });
  finished.WaitForNotification();
  return rows;
}

// A message of EncodeStream on its way.
struct StreamedRequest {
  v1::EncodeStreamRequest message;
  absl::Time start;
  absl::StatusOr<EncodedRows> rows;
};

class EncoderServiceImpl final : public v1::EncoderService::Service {
 public:
  explicit EncoderServiceImpl(EncoderServiceParts parts) : parts_(std::move(parts)) {}

  grpc::Status Train(grpc::ServerContext* context, const v1::TrainRequest* request,
                     v1::TrainResponse* response) override {
    return Answer("Train", context, response, [&] { return parts_.jobs->Train(*request); });
  }

  grpc::Status Encode(grpc::ServerContext* context, const v1::EncodeRequest* request,
                      v1::EncodeResponse* response) override {
    return Answer("Encode", context, response, [&] { return EncodeRows<v1::EncodeResponse>(context, *request); });
  }

  grpc::Status Reconstruct(grpc::ServerContext* context, const v1::ReconstructRequest* request,
                           v1::ReconstructResponse* response) override {
    return Answer("Reconstruct", context, response,
                  [&] { return EncodeRows<v1::ReconstructResponse>(context, *request); });
  }

  grpc::Status EncodeStream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::EncodeStreamResponse, v1::EncodeStreamRequest>* stream) override {
    const absl::StatusOr<CallPermits::Permit> permit = parts_.permits->Take();
    if (!permit.ok()) return Record("EncodeStream", context, absl::Now(), permit.status());
    OrderedAnswers<std::shared_ptr<StreamedRequest>> answers(parts_.max_stream_messages);
    std::thread writer([this, stream, &answers] {
      while (const auto request = answers.Take()) {
        if (!stream->Write(AnswerStreamed(**request))) answers.Abandon();
      }
    });
    for (;;) {
      auto request = std::make_shared<StreamedRequest>();
      if (!stream->Read(&request->message)) break;
      request->start = absl::Now();
      const std::optional<uint64_t> place = answers.Open();
      if (!place.has_value()) break;
      parts_.encode->Start(request->message.request(), ContextOf(context),
                           [request, place = *place, &answers](absl::StatusOr<EncodedRows> rows) {
                             request->rows = std::move(rows);
                             answers.Fill(place, request);
                           });
    }
    answers.Close();
    writer.join();
    answers.WaitUntilFilled();
    return context->IsCancelled() ? grpc::Status::CANCELLED : grpc::Status::OK;
  }

  grpc::Status Status(grpc::ServerContext* context, const v1::StatusRequest*, v1::StatusResponse* response) override {
    return Answer("Status", context, response, [&] { return parts_.status(); });
  }

  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobEvent>* writer) override {
    return Run("WatchJob", context, [&] {
      return parts_.jobs->WatchJob(
          *request, [writer](const v1::JobEvent& event) { return writer->Write(event); },
          [context] { return !context->IsCancelled(); });
    });
  }

  grpc::Status ListJobs(grpc::ServerContext* context, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    return Answer("ListJobs", context, response, [&] { return parts_.jobs->ListJobs(*request); });
  }

  grpc::Status CancelJob(grpc::ServerContext* context, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* response) override {
    return Answer("CancelJob", context, response, [&] { return parts_.jobs->CancelJob(*request); });
  }

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override {
    return Answer("ListModels", context, response, [&] { return parts_.models->ListModels(*request); });
  }

  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override {
    return Answer("GetModel", context, response, [&] { return parts_.models->GetModel(*request); });
  }

  grpc::Status DeleteModel(grpc::ServerContext* context, const v1::DeleteModelRequest* request,
                           v1::DeleteModelResponse* response) override {
    return Answer("DeleteModel", context, response, [&] { return parts_.models->DeleteModel(*request); });
  }

  grpc::Status UploadDataset(grpc::ServerContext* context, grpc::ServerReader<v1::UploadDatasetRequest>* reader,
                             v1::UploadDatasetResponse* response) override {
    return Answer("UploadDataset", context, response, [&] { return Upload(reader); });
  }

 private:
  // Runs `body` under a permit and records how it went.
  template <typename Body>
  grpc::Status Run(const char* method, grpc::ServerContext* context, Body body) {
    const absl::Time start = absl::Now();
    const absl::StatusOr<CallPermits::Permit> permit = parts_.permits->Take();
    return Record(method, context, start, permit.ok() ? body() : permit.status());
  }

  // The same for a body that gives the response.
  template <typename Response, typename Body>
  grpc::Status Answer(const char* method, grpc::ServerContext* context, Response* response, Body body) {
    return Run(method, context, [&]() -> absl::Status {
      KWTA_ASSIGN_OR_RETURN(*response, body());
      return absl::OkStatus();
    });
  }

  grpc::Status Record(const char* method, grpc::ServerContext* context, absl::Time start, const absl::Status& status) {
    parts_.metrics->CallDone(method, status.code(), absl::ToDoubleSeconds(absl::Now() - start));
    if (absl::IsResourceExhausted(status)) context->AddTrailingMetadata(kPushbackHeader, kPushbackMilliseconds);
    return ToGrpcStatus(status);
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> EncodeRows(grpc::ServerContext* context, const Request& request) {
    KWTA_ASSIGN_OR_RETURN(const EncodedRows rows, WaitForRows(parts_.encode, request, ContextOf(context)));
    return EncodeHandler::Finish(request, rows);
  }

  v1::EncodeStreamResponse AnswerStreamed(StreamedRequest& request) {
    v1::EncodeStreamResponse answer;
    answer.set_request_id(request.message.request_id());
    absl::StatusOr<v1::EncodeResponse> response = request.rows.ok()
                                                      ? EncodeHandler::Finish(request.message.request(), *request.rows)
                                                      : absl::StatusOr<v1::EncodeResponse>(request.rows.status());
    parts_.metrics->CallDone("EncodeStream", response.status().code(),
                             absl::ToDoubleSeconds(absl::Now() - request.start));
    if (response.ok()) {
      *answer.mutable_response() = *std::move(response);
    } else {
      *answer.mutable_error() = ToFailure(response.status());
    }
    return answer;
  }

  absl::StatusOr<v1::UploadDatasetResponse> Upload(grpc::ServerReader<v1::UploadDatasetRequest>* reader) {
    v1::UploadDatasetRequest message;
    if (!reader->Read(&message) || !message.has_header()) {
      return absl::InvalidArgumentError("the first message of an upload must be its header");
    }
    KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<DatasetUpload> upload,
                          DatasetUpload::Begin(message.header(), parts_.upload_directory, parts_.max_upload_bytes));
    while (reader->Read(&message)) {
      if (message.part_case() != v1::UploadDatasetRequest::kChunk) {
        return absl::InvalidArgumentError("every message of an upload after its header must be a chunk");
      }
      KWTA_RETURN_IF_ERROR(upload->Append(message.chunk()));
    }
    return upload->Finish();
  }

  const EncoderServiceParts parts_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewEncoderService(EncoderServiceParts parts) {
  return std::make_unique<EncoderServiceImpl>(std::move(parts));
}

}  // namespace kwta::server
