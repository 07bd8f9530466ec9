#include "server/services/encode_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "server/batching/batcher.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class EncodeHandlerTest : public ::testing::Test {
 protected:
  EncodeHandlerTest() {
    WriteTestBundle(directory_.path(), "digits/1", "digits");
    models_ =
        ModelManager::Open(
            directory_.path(), ModelManagerOptions(), [this](const ModelBundle&) { return encoder_; }, IgnoreEvents())
            .value();
    handler_ = std::make_unique<EncodeHandler>(models_.get(), &batcher_, /*max_message_bytes=*/2048);
  }

  template <typename Request>
  static Request MakeRequest(const std::string& model, std::initializer_list<float> row) {
    Request request;
    request.set_model(model);
    request.mutable_input()->add_shape(1);
    request.mutable_input()->add_shape(static_cast<int64_t>(row.size()));
    request.mutable_input()->mutable_floats()->Add(row.begin(), row.end());
    return request;
  }

  template <typename Request>
  absl::StatusOr<EncodedRows> Rows(const Request& request, CallContext context = {}) {
    absl::StatusOr<EncodedRows> rows = absl::UnknownError("not answered");
    handler_->Start(request, std::move(context),
                    [&rows](absl::StatusOr<EncodedRows> result) { rows = std::move(result); });
    batcher_.RunOneBatch();
    return rows;
  }

  TemporaryDirectory directory_;
  const std::shared_ptr<FakeEncoder> encoder_ = std::make_shared<FakeEncoder>(2, 4);
  std::unique_ptr<ModelManager> models_;
  Batcher batcher_{{}, {}};
  std::unique_ptr<EncodeHandler> handler_;
};

TEST_F(EncodeHandlerTest, Encodes) {
  v1::EncodeRequest request = MakeRequest<v1::EncodeRequest>("digits", {7, 8});
  request.mutable_options()->set_k(2);
  auto rows = Rows(request);
  ASSERT_TRUE(rows.ok()) << rows.status();
  v1::EncodeResponse response;
  EXPECT_EQ(EncodeHandler::Finish(rows, &response), absl::OkStatus());
  EXPECT_EQ(response.model_version(), 1);
  EXPECT_THAT(response.top_k().indices(), ElementsAre(0, 1));
  EXPECT_THAT(response.top_k().values(), ElementsAre(7, 7));
  EXPECT_EQ(response.stats().batch_rows(), 1);
}

TEST_F(EncodeHandlerTest, NothingIsLeftOfAnEarlierAnswer) {
  v1::EncodeResponse used;
  for (const v1::OutputMode mode : {v1::OUTPUT_MODE_SPARSE_TOPK, v1::OUTPUT_MODE_SPARSE_CSR, v1::OUTPUT_MODE_DENSE}) {
    for (const uint32_t k : {4, 1, 3}) {
      v1::EncodeRequest request = MakeRequest<v1::EncodeRequest>("digits", {7, 8});
      request.mutable_options()->set_k(k);
      request.mutable_options()->set_output(mode);
      const absl::StatusOr<EncodedRows> rows = Rows(request);
      ASSERT_TRUE(rows.ok()) << rows.status();
      v1::EncodeResponse fresh;
      EXPECT_EQ(EncodeHandler::Finish(rows, &fresh), absl::OkStatus());
      EXPECT_EQ(EncodeHandler::Finish(rows, &used), absl::OkStatus());
      EXPECT_EQ(used.SerializeAsString(), fresh.SerializeAsString());
    }
  }
}

TEST_F(EncodeHandlerTest, Reconstructs) {
  const auto request = MakeRequest<v1::ReconstructRequest>("digits", {7, 8});
  auto rows = Rows(request);
  ASSERT_TRUE(rows.ok()) << rows.status();
  const auto response = EncodeHandler::FinishReconstruct(rows);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->output().shape(), ElementsAre(1, 2));
  EXPECT_THAT(response->output().floats(), ElementsAre(7, 7));
}

TEST_F(EncodeHandlerTest, DenseCodesAreDenseUnlessCsrIsAskedFor) {
  encoder_->dense = true;
  v1::EncodeRequest request = MakeRequest<v1::EncodeRequest>("digits", {7, 8});
  absl::StatusOr<EncodedRows> rows = Rows(request);
  ASSERT_TRUE(rows.ok()) << rows.status();
  v1::EncodeResponse response;
  EXPECT_EQ(EncodeHandler::Finish(rows, &response), absl::OkStatus());
  EXPECT_THAT(response.dense().shape(), ElementsAre(1, 4));
  EXPECT_THAT(response.dense().floats(), ElementsAre(7, 0, 0, 0));
  EXPECT_EQ(response.code_width(), 4);

  request.mutable_options()->set_output(v1::OUTPUT_MODE_SPARSE_CSR);
  rows = Rows(request);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(EncodeHandler::Finish(rows, &response), absl::OkStatus());
  EXPECT_THAT(response.csr().indices(), ElementsAre(0));
  EXPECT_THAT(response.csr().values(), ElementsAre(7));

  request.mutable_options()->set_output(v1::OUTPUT_MODE_SPARSE_TOPK);
  const absl::Status status = Rows(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the model's codes are dense"));
}

TEST_F(EncodeHandlerTest, SaysWhatIsWrong) {
  const auto expect = [this](const v1::EncodeRequest& request, absl::StatusCode code, const std::string& text) {
    const absl::Status status = Rows(request).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  };
  expect(MakeRequest<v1::EncodeRequest>("letters", {1, 2}), absl::StatusCode::kNotFound, "there are: digits");
  expect(MakeRequest<v1::EncodeRequest>("digits", {1, 2, 3}), absl::StatusCode::kInvalidArgument,
         "model 'digits' takes rows of 2");
  v1::EncodeRequest request = MakeRequest<v1::EncodeRequest>("digits", {1, 2});
  request.mutable_options()->set_k(5);
  expect(request, absl::StatusCode::kInvalidArgument, "k is larger than the units");
  request = MakeRequest<v1::EncodeRequest>("digits", {1, 2});
  request.set_version(3);
  expect(request, absl::StatusCode::kNotFound, "has no version 3");
}

TEST_F(EncodeHandlerTest, RefusesAnAnswerThatIsTooLargeBeforeComputingIt) {
  v1::ReconstructRequest request;
  request.set_model("digits");
  request.mutable_input()->add_shape(200);
  request.mutable_input()->add_shape(2);
  request.mutable_input()->set_dtype(v1::DTYPE_U8);
  request.mutable_input()->set_raw(std::string(400, 'x'));
  const absl::Status status = Rows(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("send at most 128 rows"));
}

TEST_F(EncodeHandlerTest, AnErrorIsTheAnswer) {
  v1::EncodeResponse response;
  const absl::Status status = absl::CancelledError("gone");
  EXPECT_EQ(EncodeHandler::Finish(status, &response), status);
  EXPECT_EQ(EncodeHandler::FinishReconstruct(status).status(), status);
}

TEST_F(EncodeHandlerTest, TheRowsKnowTheLayoutAskedFor) {
  v1::EncodeRequest request = MakeRequest<v1::EncodeRequest>("digits", {7, 8});
  EXPECT_EQ(Rows(request)->output, v1::OUTPUT_MODE_SPARSE_TOPK);
  request.mutable_options()->set_output(v1::OUTPUT_MODE_SPARSE_CSR);
  EXPECT_EQ(Rows(request)->output, v1::OUTPUT_MODE_SPARSE_CSR);
  encoder_->dense = true;
  request.clear_options();
  EXPECT_EQ(Rows(request)->output, v1::OUTPUT_MODE_DENSE);
}

TEST_F(EncodeHandlerTest, TakesRowsFromTheQuota) {
  const auto request = MakeRequest<v1::EncodeRequest>("digits", {7, 8});
  CallContext context;
  context.row_quota = std::make_shared<Quota>("rows_per_second", 0.001);
  EXPECT_TRUE(Rows(request, context).ok());
  const absl::Status refused = Rows(request, context).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("rows_per_second is 0.001"));
}

TEST_F(EncodeHandlerTest, HandsDeadlineAndCancellationOn) {
  const auto request = MakeRequest<v1::EncodeRequest>("digits", {1, 2});
  EXPECT_EQ(Rows(request, {absl::InfinitePast(), nullptr}).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Rows(request, {absl::InfiniteFuture(), [] { return true; }}).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace kwta::server
