// Dropout autoencoders and Boltzmann machines through real processes: trained, served, stacked, fine-tuned, shown.

#include "gtest/gtest.h"
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
    }
    grpc::ClientContext context;
    v1::GetClassifierRequest request;
    request.set_model(model + "-tuned");
    v1::GetClassifierResponse classifier;
    ASSERT_TRUE(server.stub().GetClassifier(&context, request, &classifier).ok());
    EXPECT_EQ(classifier.bias_size(), 10);
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
  request.mutable_spec()->mutable_preprocessing()->set_u8_divisor(100);
  const v1::Job job = TrainToEnd(server.stub(), request);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_NE(job.error().message().find("expected 0 .. 1"), std::string::npos) << job.error().message();
}

}  // namespace
}  // namespace kwta::testing
