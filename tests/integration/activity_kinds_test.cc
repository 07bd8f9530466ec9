// Dropout autoencoders and Boltzmann machines through real processes: trained, served, stacked, fine-tuned, shown.

#include <cstring>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "inference/open_inference.grpc.pb.h"
#include "nlohmann/json.hpp"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

v1::TrainRequest KindJob(const std::string& model, const std::string& base, void (*set)(v1::EncoderSpec*)) {
  v1::TrainRequest request = SmallJob(model, /*epochs=*/2, /*units=*/64, /*rows=*/300);
  set(request.mutable_spec()->mutable_encoder());
  if (!base.empty()) request.mutable_spec()->mutable_base()->set_model(base);
  return request;
}
void SetDropout(v1::EncoderSpec* encoder) { encoder->mutable_dropout()->set_units(40); }
void SetRbm(v1::EncoderSpec* encoder) { encoder->mutable_rbm()->set_units(40); }

template <typename T>
std::vector<T> OutputOf(const inference::ModelInferResponse& response, int output) {
  const std::string& raw = response.raw_output_contents(output);
  std::vector<T> elements(raw.size() / sizeof(T));
  std::memcpy(elements.data(), raw.data(), raw.size());
  return elements;
}

// The entries of ReLU's codes as the Open Inference Protocol gives them, by gRPC and by REST, against those of Encode.
void ExpectSparseOutputs(const ServerProcess& server, const std::string& model, const v1::EncodeRequest& rows,
                         const v1::CsrCodes& codes) {
  const std::vector<float> values(codes.values().begin(), codes.values().end());
  const std::vector<int32_t> indices(codes.indices().begin(), codes.indices().end());
  const std::vector<int64_t> splits(codes.row_offsets().begin(), codes.row_offsets().end());
  ASSERT_GT(values.size(), 0u);
  ASSERT_LT(values.size(), 40u * (splits.size() - 1)) << "zeros are left out";

  const std::unique_ptr<inference::GRPCInferenceService::Stub> stub =
      inference::GRPCInferenceService::NewStub(server.channel());
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto* const input = request.add_inputs();
  input->set_name("input");
  input->set_datatype("UINT8");
  for (const int64_t extent : rows.input().shape()) input->add_shape(extent);
  request.add_raw_input_contents(rows.input().raw());
  for (const char* name : {"indices", "values", "row_splits"}) request.add_outputs()->set_name(name);
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  const grpc::Status status = stub->ModelInfer(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(OutputOf<int32_t>(response, 0), indices);
  EXPECT_EQ(OutputOf<float>(response, 1), values);
  EXPECT_EQ(OutputOf<int64_t>(response, 2), splits);

  nlohmann::json body = {{"inputs", {{{"name", "input"}, {"datatype", "UINT8"}}}}};
  body["inputs"][0]["shape"] = std::vector<int64_t>(rows.input().shape().begin(), rows.input().shape().end());
  for (const char pixel : rows.input().raw()) body["inputs"][0]["data"].push_back(static_cast<uint8_t>(pixel));
  for (const char* name : {"indices", "values", "row_splits"}) body["outputs"].push_back({{"name", name}});
  const HttpReply reply = HttpPost(server.http_port(), "/v2/models/" + model + "/infer", body.dump());
  ASSERT_EQ(reply.status, 200) << reply.body;
  const nlohmann::json answer = nlohmann::json::parse(reply.body, nullptr, false);
  ASSERT_EQ(answer["outputs"].size(), 3u) << reply.body;
  EXPECT_EQ(answer["outputs"][0]["data"], nlohmann::json(indices));
  EXPECT_EQ(answer["outputs"][1]["data"].get<std::vector<float>>(), values);
  EXPECT_EQ(answer["outputs"][2]["data"], nlohmann::json(splits));
}

TEST(ActivityKinds, AreTrainedStackedFineTunedAndServed) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  for (const auto& [name, set] : {std::pair("dropout", SetDropout), std::pair("rbm", SetRbm)}) {
    SCOPED_TRACE(name);
    const std::string model = name;
    ASSERT_EQ(TrainToEnd(server.stub(), KindJob(model, "", set)).state(), v1::JOB_STATE_SUCCEEDED) << server.log();
    ASSERT_EQ(TrainToEnd(server.stub(), KindJob(model + "-deep", model, set)).state(), v1::JOB_STATE_SUCCEEDED);
    v1::TrainRequest tuning = SmallJob(model + "-tuned", 2, 64, 300);
    tuning.mutable_spec()->clear_encoder();
    tuning.mutable_spec()->mutable_base()->set_model(model + "-deep");
    tuning.mutable_spec()->mutable_fine_tuning()->set_classifier_epochs(2);
    ASSERT_EQ(TrainToEnd(server.stub(), tuning).state(), v1::JOB_STATE_SUCCEEDED) << server.log();

    for (const char* suffix : {"", "-deep", "-tuned"}) {
      v1::EncodeResponse response;
      const grpc::Status status = Encode(server.stub(), EncodeImages(model + suffix, 5), &response);
      ASSERT_TRUE(status.ok()) << status.error_message();
      EXPECT_EQ(response.code_width(), 40u);
      EXPECT_EQ(response.has_dense(), model == "rbm") << "ReLU's codes are sparse";
      EXPECT_EQ(response.has_csr(), model == "dropout");
      if (response.has_csr())
        ExpectSparseOutputs(server, model + suffix, EncodeImages(model + suffix, 5), response.csr());
    }
    grpc::ClientContext context;
    v1::GetClassifierRequest request;
    request.set_model(model + "-tuned");
    v1::GetClassifierResponse classifier;
    ASSERT_TRUE(server.stub().GetClassifier(&context, request, &classifier).ok());
    EXPECT_EQ(classifier.bias_size(), 10);
    const ProgramResult evaluated =
        RunProgram({KWTA_CLI_PROGRAM, "--server", server.grpc_address(), "--json", "evaluate", "--model",
                    model + "-tuned", "--version", "1", "--data", "fashion-mnist", "--max-rows", "60", "--no-pixels"});
    ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
    const nlohmann::json figures = nlohmann::json::parse(evaluated.out, nullptr, false);
    EXPECT_TRUE(figures["own_classifier_error"].is_number()) << evaluated.out;
    EXPECT_EQ(figures["version"], 1);
    const std::string metrics = HttpGet(server.http_port(), "/metrics").body;
    EXPECT_NE(metrics.find("model=\"" + model + "-tuned\""), std::string::npos);
  }
}

TEST(ActivityKinds, JobsThatDoNotFitAreRefused) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  v1::TrainRequest request = KindJob("dropout", "", SetDropout);
  request.mutable_spec()->mutable_encoder()->mutable_dropout()->set_hidden_dropout(1);
  grpc::ClientContext context;
  v1::TrainResponse response;
  const grpc::Status status = server.stub().Train(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(status.error_message().find("encoder.dropout.hidden_dropout is 1; expected 0 .. 1, 1 excluded"),
            std::string::npos)
      << status.error_message();

  request = KindJob("rbm", "", SetRbm);
  request.mutable_spec()->mutable_preprocessing()->set_subtract_mean(true);
  grpc::ClientContext again;
  EXPECT_EQ(server.stub().Train(&again, request, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT)
      << "before it runs";

  request = KindJob("rbm", "", SetRbm);
  request.mutable_spec()->mutable_preprocessing()->set_u8_divisor(100);
  const v1::Job job = TrainToEnd(server.stub(), request);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_NE(job.error().message().find("expected 0 .. 1"), std::string::npos) << job.error().message();
}

}  // namespace
}  // namespace kwta::testing
