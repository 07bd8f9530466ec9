#include "server/oip/inference_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/io/model_bundle.h"
#include "server/batching/batcher.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Rows of two floats, codes of four units.
class InferenceHandlerTest : public ::testing::Test {
 protected:
  InferenceHandlerTest() {
    WriteTestBundle(directory_.path(), "digits/1", "digits");
    WriteTestBundle(directory_.path(), "digits/2", "digits");
    models_ =
        ModelManager::Open(
            directory_.path(), ModelManagerOptions(), [this](const ModelBundle&) { return encoder_; }, IgnoreEvents())
            .value();
    Serve(BatcherOptions());
  }

  void Serve(const BatcherOptions& options, v1::NonFinite non_finite = v1::NON_FINITE_REFUSE) {
    batcher_ = std::make_unique<Batcher>(options, BatcherEvents());
    batcher_->Start();
    encode_ = std::make_unique<EncodeHandler>(models_.get(), batcher_.get(), kMaxBytes);
    InferenceHandlerParts parts;
    parts.models = models_.get();
    parts.encode = encode_.get();
    parts.ready = [] { return true; };
    parts.version = "1.2.3";
    parts.max_message_bytes = kMaxBytes;
    parts.max_batch_rows = 256;
    parts.non_finite = non_finite;
    handler_ = std::make_unique<InferenceHandler>(std::move(parts));
  }

  static inference::ModelInferRequest Request(const std::vector<float>& rows,
                                              const std::vector<std::string>& outputs = {}) {
    inference::ModelInferRequest request;
    request.set_model_name("digits");
    request.set_id("q");
    auto* input = request.add_inputs();
    input->set_name("input");
    input->set_datatype("FP32");
    input->add_shape(static_cast<int64_t>(rows.size() / 2));
    input->add_shape(2);
    request.add_raw_input_contents(reinterpret_cast<const char*>(rows.data()), rows.size() * sizeof(float));
    for (const std::string& output : outputs) request.add_outputs()->set_name(output);
    return request;
  }

  absl::StatusOr<inference::ModelInferResponse> Infer(inference::ModelInferRequest request) {
    return handler_->ModelInfer(&request, CallContext());
  }

  template <typename T>
  static std::vector<T> Elements(const inference::ModelInferResponse& response, int output) {
    const std::string& raw = response.raw_output_contents(output);
    std::vector<T> elements(raw.size() / sizeof(T));
    std::memcpy(elements.data(), raw.data(), raw.size());
    return elements;
  }

  static constexpr int64_t kMaxBytes = 8192;
  TemporaryDirectory directory_;
  std::shared_ptr<FakeEncoder> encoder_ = std::make_shared<FakeEncoder>(2, 4);
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<EncodeHandler> encode_;
  std::unique_ptr<InferenceHandler> handler_;
};

TEST_F(InferenceHandlerTest, GivesEveryOutputOfAModel) {
  inference::ModelInferRequest request = Request({5, 0, 6, 0});
  (*request.mutable_parameters())["k"].set_int64_param(2);
  const auto response = Infer(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->model_version(), "2");
  EXPECT_EQ(response->id(), "q");
  ASSERT_EQ(response->outputs_size(), 3);
  ASSERT_EQ(response->raw_output_contents_size(), 3) << "clients index it";
  EXPECT_EQ(response->outputs(0).name(), "features");
  EXPECT_THAT(response->outputs(0).shape(), ElementsAre(2, 4));
  EXPECT_THAT(Elements<float>(*response, 0), ElementsAre(5, 5, 0, 0, 6, 6, 0, 0));
  EXPECT_EQ(response->outputs(1).datatype(), "INT32");
  EXPECT_THAT(response->outputs(1).shape(), ElementsAre(2, 2));
  EXPECT_THAT(Elements<int32_t>(*response, 1), ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(Elements<float>(*response, 2), ElementsAre(5, 5, 6, 6));
}

TEST_F(InferenceHandlerTest, GivesOnlyWhatWasAskedForInThatOrder) {
  const auto response = Infer(Request({5, 0}, {"values", "indices"}));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->outputs_size(), 2);
  EXPECT_EQ(response->outputs(0).name(), "values");
  EXPECT_THAT(Elements<float>(*response, 0), ElementsAre(5));
}

TEST_F(InferenceHandlerTest, CodesOfVaryingLengthHaveRowSplits) {
  EXPECT_EQ(Infer(Request({5, 0}, {"row_splits"})).status().code(), absl::StatusCode::kInvalidArgument);
  encoder_->dense = true;
  const auto response = Infer(Request({5, 0, 0, 1, 7, 0}));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->outputs_size(), 4);
  EXPECT_THAT(Elements<float>(*response, 0), ElementsAre(5, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0));
  EXPECT_THAT(response->outputs(1).shape(), ElementsAre(2));
  EXPECT_THAT(Elements<int32_t>(*response, 1), ElementsAre(0, 0));
  EXPECT_THAT(Elements<float>(*response, 2), ElementsAre(5, 7));
  EXPECT_EQ(response->outputs(3).datatype(), "INT64");
  EXPECT_THAT(Elements<int64_t>(*response, 3), ElementsAre(0, 1, 1, 2));
}

TEST_F(InferenceHandlerTest, ErrorsAreThoseOfEncode) {
  inference::ModelInferRequest request = Request({1, 2, 3, 4});
  request.mutable_inputs(0)->set_shape(1, 3);
  absl::Status status = Infer(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("takes rows of 2"));
  request = Request({1, 2});
  request.set_model_name("letters");
  EXPECT_EQ(Infer(request).status().code(), absl::StatusCode::kNotFound);
  request = Request({1, 2});
  request.set_model_version("blue");
  EXPECT_EQ(Infer(request).status().code(), absl::StatusCode::kNotFound);
  status = Infer(Request(std::vector<float>(860, 1))).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--max-message-bytes"));
}

TEST_F(InferenceHandlerTest, DescribesModelsTheWayClientsReadThem) {
  inference::ModelMetadataRequest request;
  request.set_name("digits");
  const auto metadata = handler_->ModelMetadata(request);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_THAT(metadata->versions(), ElementsAre("1", "2"));
  EXPECT_THAT(metadata->inputs(0).shape(), ElementsAre(-1, 2));
  EXPECT_EQ(metadata->inputs(0).datatype(), "FP32");
  ASSERT_EQ(metadata->outputs_size(), 3);
  EXPECT_THAT(metadata->outputs(0).shape(), ElementsAre(-1, 4));
  EXPECT_THAT(metadata->outputs(1).shape(), ElementsAre(-1, -1));
  inference::ModelConfigRequest config_request;
  config_request.set_name("digits");
  const auto config = handler_->ModelConfig(config_request);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->config().max_batch_size(), 256);
  EXPECT_THAT(config->config().input(0).dims(), ElementsAre(2)) << "without the batch";
  EXPECT_TRUE(config->config().has_dynamic_batching());
  request.set_name("letters");
  EXPECT_EQ(handler_->ModelMetadata(request).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(handler_->ServerMetadata().extensions(), ::testing::Contains("statistics"));
}

TEST_F(InferenceHandlerTest, CountsWhatItDid) {
  inference::ModelStatisticsRequest request;
  EXPECT_THAT(handler_->ModelStatistics(request)->model_stats(), IsEmpty());
  request.set_name("digits");
  EXPECT_EQ(handler_->ModelStatistics(request)->model_stats(0).inference_count(), 0) << "known, and not asked yet";
  ASSERT_TRUE(Infer(Request({1, 2, 3, 4})).ok());
  ASSERT_FALSE(Infer(Request({1, 2}, {"row_splits"})).ok());
  const inference::ModelStatistics statistics = handler_->ModelStatistics(request)->model_stats(0);
  EXPECT_EQ(statistics.version(), "2");
  EXPECT_EQ(statistics.inference_count(), 2);
  EXPECT_EQ(statistics.execution_count(), 1);
  EXPECT_EQ(statistics.inference_stats().success().count(), 1);
  EXPECT_GT(statistics.inference_stats().success().ns(), 0);
  EXPECT_EQ(statistics.inference_stats().fail().count(), 1);
  request.set_name("letters");
  EXPECT_EQ(handler_->ModelStatistics(request).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(InferenceHandlerTest, CountsABatchOfSeveralRequestsOnce) {
  BatcherOptions options;
  options.max_batch_rows = 4;
  options.linger = absl::Hours(1);  // until the batch is full
  Serve(options);
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([this] { EXPECT_TRUE(Infer(Request({1, 2})).ok()); });
  }
  for (std::thread& caller : callers) caller.join();
  inference::ModelStatisticsRequest request;
  request.set_name("digits");
  const inference::ModelStatistics statistics = handler_->ModelStatistics(request)->model_stats(0);
  EXPECT_EQ(statistics.inference_stats().success().count(), 4);
  EXPECT_EQ(statistics.inference_count(), 4);
  EXPECT_EQ(statistics.execution_count(), 1);
}

TEST_F(InferenceHandlerTest, AFineTunedModelTellsClasses) {
  inference::ModelInferRequest request = Request({1, 0, 3, 0}, {"features"});
  auto& wanted = (*request.mutable_outputs(0)->mutable_parameters())["classification"];
  wanted.set_int64_param(2);
  const size_t before = encoder_->batches.size();
  const absl::Status without = Infer(request).status();
  EXPECT_EQ(without.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(without.message()), HasSubstr("model 'digits' version 2 was not fine-tuned"));
  EXPECT_EQ(encoder_->batches.size(), before) << "refused before anything was computed";

  ModelBundle bundle;
  bundle.description.set_format(1);
  bundle.description.set_name("tuned");
  bundle.description.set_code_width(4);
  bundle.description.mutable_fine_tuning();
  Tensor weights(DType::kF32, {4, 3});
  Tensor bias(DType::kF32, {3});
  std::fill_n(weights.as<float>(), 12, 0.0f);
  weights.as<float>()[1] = 1;  // class 1 is the first element
  std::fill_n(bias.as<float>(), 3, 0.0f);
  bias.as<float>()[2] = 2;
  bundle.tensors.emplace("classifier.weights", std::move(weights));
  bundle.tensors.emplace("classifier.bias", std::move(bias));
  std::filesystem::create_directory(directory_.File("tuned"));
  ASSERT_TRUE(WriteModelBundle(directory_.File("tuned/1"), bundle).ok());
  ASSERT_TRUE(models_->Load("tuned", 1, false).ok());
  request = Request({1, 0, 3, 0}, {"features"});
  request.set_model_name("tuned");
  auto& classes = (*request.mutable_outputs(0)->mutable_parameters())["classification"];
  classes.set_int64_param(2);
  const auto response = Infer(request);
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->outputs_size(), 1);
  EXPECT_EQ(response->outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response->outputs(0).shape(), ElementsAre(2, 2));
  const std::string length("\x0a\0\0\0", 4);
  EXPECT_EQ(response->raw_output_contents(0),
            length + "2.000000:2" + length + "1.000000:1" + length + "3.000000:1" + length + "2.000000:2");
}

TEST_F(InferenceHandlerTest, AStreamIsToldThatEachAnswerIsTheLastToItsRequest) {
  absl::StatusOr<inference::ModelInferResponse> response = Infer(Request({1, 2}));
  ASSERT_TRUE(response.ok()) << response.status();
  inference::ModelStreamInferResponse message = InferenceHandler::StreamResponse("q", *std::move(response));
  EXPECT_EQ(message.error_message(), "");
  EXPECT_EQ(message.infer_response().id(), "q");
  EXPECT_TRUE(message.infer_response().parameters().at("triton_final_response").bool_param());
  message = InferenceHandler::StreamResponse("r", absl::NotFoundError("no such model"));
  EXPECT_EQ(message.error_message(), "no such model");
  // The text may hold file names, which need not be UTF-8; clients cannot parse a message that is not.
  EXPECT_EQ(InferenceHandler::StreamResponse("r", absl::NotFoundError("no \xff")).error_message(), "no \xEF\xBF\xBD");
  EXPECT_EQ(message.infer_response().id(), "r");
  EXPECT_TRUE(message.infer_response().parameters().at("triton_final_response").bool_param());
}

TEST_F(InferenceHandlerTest, AVersionThatDoesNotServeIsUnavailable) {
  inference::RepositoryModelUnloadRequest unload;
  unload.set_model_name("digits");
  ASSERT_TRUE(handler_->Unload(unload).ok());
  inference::ModelInferRequest request = Request({1, 2});
  for (const char* version : {"", "1", "2"}) {
    request = Request({1, 2});
    request.set_model_version(version);
    const absl::Status status = Infer(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("unloaded"));
  }
  inference::ModelMetadataRequest metadata;
  metadata.set_name("digits");
  EXPECT_EQ(handler_->ModelMetadata(metadata).status().code(), absl::StatusCode::kUnavailable);
  inference::ModelConfigRequest config;
  config.set_name("digits");
  EXPECT_EQ(handler_->ModelConfig(config).status().code(), absl::StatusCode::kUnavailable);
  metadata.set_version("3");
  EXPECT_EQ(handler_->ModelMetadata(metadata).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(InferenceHandlerTest, TheRepositoryIsLoadedUnloadedAndListed) {
  inference::ModelReadyRequest ready;
  ready.set_name("digits");
  EXPECT_TRUE(handler_->ModelReady(ready));
  inference::RepositoryModelUnloadRequest unload;
  unload.set_repository_name("digits");  // as KServe's clients say it
  EXPECT_TRUE(handler_->Unload(unload)->isunloaded());
  EXPECT_FALSE(handler_->ModelReady(ready));
  inference::RepositoryIndexResponse index = handler_->RepositoryIndex({});
  ASSERT_EQ(index.models_size(), 2);
  EXPECT_EQ(index.models(0).state(), "UNAVAILABLE");
  EXPECT_EQ(index.models(0).reason(), "unloaded");
  inference::RepositoryModelLoadRequest load;
  load.set_model_name("digits");
  ASSERT_TRUE(handler_->Load(load).ok());
  inference::RepositoryIndexRequest only_ready;
  only_ready.set_ready(true);
  index = handler_->RepositoryIndex(only_ready);
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).version(), "2");
  (*load.mutable_parameters())["config"].set_string_param("{}");
  EXPECT_EQ(handler_->Load(load).status().code(), absl::StatusCode::kUnimplemented);
  ready.set_name("letters");
  EXPECT_FALSE(handler_->ModelReady(ready));
}

TEST_F(InferenceHandlerTest, TheRequestOrElseTheServerSaysWhatBecomesOfNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  inference::ModelInferRequest request = Request({nan, 1});
  EXPECT_EQ(Infer(request).status().code(), absl::StatusCode::kInvalidArgument);
  inference::ModelInferRequest zero = request;
  (*zero.mutable_parameters())["non_finite"].set_string_param("zero");
  auto response = Infer(zero);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->parameters().at("zeroed_elements").int64_param(), 1);
  EXPECT_EQ(response->raw_output_contents(0), Infer(Request({0, 1}))->raw_output_contents(0));
  EXPECT_THAT(Infer(Request({0, 1}))->parameters(), IsEmpty());

  Serve(BatcherOptions(), v1::NON_FINITE_ZERO);
  EXPECT_TRUE(Infer(request).ok());
  (*request.mutable_parameters())["non_finite"].set_string_param("refuse");
  EXPECT_EQ(Infer(request).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kwta::server
