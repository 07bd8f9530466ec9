#include "server/oip/inference_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

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
    batcher_.Start();
    encode_ = std::make_unique<EncodeHandler>(models_.get(), &batcher_, kMaxBytes);
    InferenceHandlerParts parts;
    parts.models = models_.get();
    parts.encode = encode_.get();
    parts.ready = [] { return true; };
    parts.version = "1.2.3";
    parts.max_message_bytes = kMaxBytes;
    parts.max_batch_rows = 256;
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
  Batcher batcher_{BatcherOptions(), BatcherEvents()};
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

}  // namespace
}  // namespace kwta::server
