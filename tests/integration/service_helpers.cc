#include "tests/integration/service_helpers.h"

#include <chrono>

#include "core/io/datasets/dataset.h"
#include "gtest/gtest.h"

namespace kwta::testing {
namespace {

constexpr auto kAnswerPatience = std::chrono::seconds(120);

}  // namespace

v1::TrainRequest SmallJob(const std::string& model, unsigned epochs, unsigned units, unsigned rows) {
  v1::TrainRequest request;
  v1::JobSpec& spec = *request.mutable_spec();
  spec.set_model(model);
  v1::KSparseSpec& encoder = *spec.mutable_encoder()->mutable_k_sparse();
  encoder.set_units(units);
  encoder.set_k(5);
  spec.mutable_training()->set_epochs(epochs);
  spec.mutable_training()->set_batch_size(50);
  spec.mutable_dataset()->set_name("fashion-mnist");
  spec.mutable_dataset()->set_max_rows(rows);
  return request;
}

v1::Job GetJob(v1::EncoderService::Stub& stub, const std::string& job_id) {
  grpc::ClientContext context;
  v1::ListJobsRequest request;
  request.set_job_id(job_id);
  v1::ListJobsResponse response;
  const grpc::Status status = stub.ListJobs(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.jobs_size(), 1);
  return response.jobs_size() == 1 ? response.jobs(0) : v1::Job();
}

v1::Job WaitForEnd(v1::EncoderService::Stub& stub, const std::string& job_id) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAnswerPatience);
  v1::WatchJobRequest request;
  request.set_job_id(job_id);
  const auto reader = stub.WatchJob(&context, request);
  v1::JobEvent event;
  while (reader->Read(&event)) {
  }
  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return GetJob(stub, job_id);
}

v1::Job TrainToEnd(v1::EncoderService::Stub& stub, const v1::TrainRequest& request) {
  grpc::ClientContext context;
  v1::TrainResponse response;
  const grpc::Status status = stub.Train(&context, request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return status.ok() ? WaitForEnd(stub, response.job().id()) : v1::Job();
}

v1::EncodeRequest EncodeImages(const std::string& model, int rows) {
  v1::DatasetRef ref;
  ref.set_name("fashion-mnist");
  ref.set_split(v1::DATASET_SPLIT_TEST);
  const auto data = LoadDataset(ref, {{KWTA_TEST_DATA "/datasets"}});
  EXPECT_TRUE(data.ok()) << data.status();
  v1::EncodeRequest request;
  request.set_model(model);
  v1::Tensor& input = *request.mutable_input();
  input.add_shape(rows);
  input.add_shape(data->width());
  input.set_dtype(v1::DTYPE_U8);
  for (int i = 0; i < rows; ++i) {
    const RowsView row = data->row(i);
    input.mutable_raw()->append(static_cast<const char*>(row.data), row.row_bytes());
  }
  return request;
}

grpc::Status Encode(v1::EncoderService::Stub& stub, const v1::EncodeRequest& request, v1::EncodeResponse* response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kAnswerPatience);
  return stub.Encode(&context, request, response);
}

}  // namespace kwta::testing
