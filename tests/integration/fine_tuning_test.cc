// Fine-tuning through real processes: jobs on a trained model and on a stack, served with their classifiers.

#include <signal.h>

#include <chrono>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

v1::TrainRequest TuningOf(const std::string& base, const std::string& model, unsigned epochs = 10) {
  v1::TrainRequest request = SmallJob(model, epochs);
  request.mutable_spec()->clear_encoder();
  request.mutable_spec()->mutable_base()->set_model(base);
  request.mutable_spec()->mutable_fine_tuning()->set_classifier_epochs(3);
  request.mutable_spec()->mutable_training()->set_learning_rate(0.05f);
  return request;
}

// Features that leave fine-tuning much to do.
v1::TrainRequest WeakJob(v1::TrainRequest request) {
  request.mutable_spec()->mutable_training()->set_learning_rate(0.001f);
  request.mutable_spec()->mutable_training()->set_final_learning_rate(0.001f);
  return request;
}

class FineTuning : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_->ready()) << server_->log();
    v1::TrainRequest base = WeakJob(SmallJob("layer-1"));
    base.mutable_spec()->mutable_preprocessing()->set_subtract_mean(false);
    ASSERT_EQ(TrainToEnd(server_->stub(), base).state(), v1::JOB_STATE_SUCCEEDED) << server_->log();
  }

  grpc::Status Submit(const v1::TrainRequest& request, v1::Job* job) {
    grpc::ClientContext context;
    v1::TrainResponse response;
    const grpc::Status status = server_->stub().Train(&context, request, &response);
    *job = response.job();
    return status;
  }
  grpc::Status GetClassifier(const std::string& model, v1::GetClassifierResponse* response) {
    grpc::ClientContext context;
    v1::GetClassifierRequest request;
    request.set_model(model);
    return server_->stub().GetClassifier(&context, request, response);
  }
  ModelBundle Bundle(const std::string& model) const {
    return ReadModelBundle(state_ + "/models/" + model + "/1").value();
  }
  // Fraction of the training rows that the served codes and the served classifier get wrong.
  double ServedError(const std::string& model) {
    v1::DatasetRef reference;
    reference.set_name("fashion-mnist");
    reference.set_max_rows(500);
    const Dataset data = LoadDataset(reference, {{KWTA_TEST_DATA "/datasets"}}).value();
    v1::EncodeRequest request;
    request.set_model(model);
    request.mutable_input()->set_dtype(v1::DTYPE_U8);
    request.mutable_input()->add_shape(data.rows());
    request.mutable_input()->add_shape(784);
    for (int64_t i = 0; i < data.rows(); ++i) {
      request.mutable_input()->mutable_raw()->append(static_cast<const char*>(data.row(i).data), 784);
    }
    v1::EncodeResponse response;
    const grpc::Status encoded = Encode(server_->stub(), request, &response);
    EXPECT_TRUE(encoded.ok()) << encoded.error_message();
    v1::GetClassifierResponse classifier;
    const grpc::Status got = GetClassifier(model, &classifier);
    EXPECT_TRUE(got.ok()) << got.error_message();
    const int classes = classifier.bias_size();
    EXPECT_EQ(classes, 10);
    std::vector<float> weights(classifier.weights().raw().size() / sizeof(float));
    std::memcpy(weights.data(), classifier.weights().raw().data(), classifier.weights().raw().size());
    EXPECT_EQ(weights.size(), response.code_width() * 10u);
    const std::vector<int32_t> labels = data.Labels();
    const uint32_t k = response.top_k().k();
    int wrong = 0;
    for (int64_t i = 0; i < data.rows(); ++i) {
      std::vector<float> scores(classifier.bias().begin(), classifier.bias().end());
      for (int64_t e = i * k; e < (i + 1) * k; ++e) {
        for (int c = 0; c < classes; ++c) {
          scores[c] += response.top_k().values(e) * weights[response.top_k().indices(e) * classes + c];
        }
      }
      wrong += std::max_element(scores.begin(), scores.end()) - scores.begin() != labels[i];
    }
    return wrong / 500.0;
  }

  const std::string state_ = MakeTemporaryDirectory();
  std::unique_ptr<ServerProcess> server_ = std::make_unique<ServerProcess>(state_);
};

TEST_F(FineTuning, AModelAndAStackAreTunedPublishedAndServedWithTheirClassifiers) {
  v1::TrainRequest second = WeakJob(SmallJob("deep", 2, 32));
  second.mutable_spec()->mutable_base()->set_model("layer-1");
  ASSERT_EQ(TrainToEnd(server_->stub(), second).state(), v1::JOB_STATE_SUCCEEDED);
  for (const std::string base : {"layer-1", "deep"}) {
    // Almost at rest: the classifier of fixed codes.
    v1::TrainRequest resting = TuningOf(base, base + "-fixed", 1);
    resting.mutable_spec()->mutable_training()->set_learning_rate(1e-9f);
    resting.mutable_spec()->mutable_fine_tuning()->set_classifier_rate(1e-9f);
    v1::Job job = TrainToEnd(server_->stub(), resting);
    ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();

    job = TrainToEnd(server_->stub(), TuningOf(base, base + "-tuned"));
    ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
    EXPECT_EQ(job.spec().base().version(), 1u);
    EXPECT_EQ(job.spec().training().final_learning_rate(), 0);
    EXPECT_EQ(job.progress().epochs_done(), base == "deep" ? 23u : 13u);
    EXPECT_EQ(job.progress().epochs_done(), job.progress().epochs());
    EXPECT_EQ(job.progress().fraction(), 1);

    const ModelBundle tuned = Bundle(base + "-tuned");
    EXPECT_EQ(tuned.description.job_id(), job.id());
    v1::FineTuningSpec tuning = job.spec().fine_tuning();
    tuning.set_input_dropout(0);  // what k-sparse layers are trained with
    tuning.set_code_dropout(0);
    EXPECT_EQ(tuned.description.fine_tuning().SerializeAsString(), tuning.SerializeAsString());
    EXPECT_EQ(tuned.description.statistics().training_error(), job.progress().training_error());
    EXPECT_EQ(tuned.description.encoder().SerializeAsString(), Bundle(base).description.encoder().SerializeAsString());
    const double error = ServedError(base + "-tuned");
    EXPECT_LT(error, 0.7 * ServedError(base + "-fixed"));
    EXPECT_NEAR(error, job.progress().training_error(), 0.05) << "which was taken as the rows went by";
  }
  v1::GetClassifierResponse response;
  const grpc::Status status = GetClassifier("deep", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(status.error_message().find("model 'deep' version 1 was not fine-tuned"), std::string::npos);
  EXPECT_EQ(GetClassifier("nobody", &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(FineTuning, EndsInTheSameModelAfterTheServerStoppedAndWasKilled) {
  v1::TrainRequest request = TuningOf("layer-1", "whole", 150);
  ASSERT_EQ(TrainToEnd(server_->stub(), request).state(), v1::JOB_STATE_SUCCEEDED);
  request.mutable_spec()->set_model("broken");
  request.set_job_id("broken");
  v1::Job job;
  ASSERT_TRUE(Submit(request, &job).ok());
  uint64_t seen = 0;
  for (const int stop_signal : {SIGTERM, SIGKILL}) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
    v1::WatchJobRequest watch;
    watch.set_job_id("broken");
    watch.set_after_sequence(seen);
    const auto reader = server_->stub().WatchJob(&context, watch);
    v1::JobEvent event;
    while (reader->Read(&event) && event.progress().epochs_done() <= 3) {
    }
    const bool tunes = event.progress().epochs_done() > 3;  // and the classifier's own epochs are done
    context.TryCancel();
    reader->Finish();
    if (!tunes) break;  // it came to its end before it could be interrupted again
    server_->process().Signal(stop_signal);
    EXPECT_EQ(server_->process().Wait(), stop_signal == SIGTERM ? 0 : -SIGKILL) << server_->log();
    server_ = std::make_unique<ServerProcess>(state_);
    ASSERT_TRUE(server_->ready()) << server_->log();
    seen = GetJob(server_->stub(), "broken").last_sequence();
  }
  job = WaitForEnd(server_->stub(), "broken");
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_GE(job.attempts(), 2u) << "interrupted at least once";
  EXPECT_EQ(HashOfModelBundle(state_ + "/models/broken/1").value(),
            HashOfModelBundle(state_ + "/models/whole/1").value());
}

TEST_F(FineTuning, WhatCannotBeTunedIsRefusedAtOnce) {
  v1::TrainRequest maps = SmallJob("maps", 1);
  maps.mutable_spec()->mutable_encoder()->mutable_winner_take_all()->set_maps(4);
  ASSERT_EQ(TrainToEnd(server_->stub(), maps).state(), v1::JOB_STATE_SUCCEEDED);
  const auto expect = [&](const v1::TrainRequest& request, grpc::StatusCode code, const std::string& text) {
    v1::Job job;
    const grpc::Status status = Submit(request, &job);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_NE(status.error_message().find(text), std::string::npos) << status.error_message();
  };
  expect(TuningOf("maps", "tuned"), grpc::StatusCode::INVALID_ARGUMENT,
         "only k-sparse, regularised, dropout, rbm layers can be");
  expect(TuningOf("nobody", "tuned"), grpc::StatusCode::NOT_FOUND, "model 'nobody' does not exist");
  v1::TrainRequest request = TuningOf("layer-1", "tuned");
  request.mutable_spec()->clear_base();
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "fine_tuning is set without base");
  request = TuningOf("layer-1", "tuned");
  request.mutable_spec()->mutable_encoder()->mutable_k_sparse();
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "encoder is set together with fine_tuning");
  request = TuningOf("layer-1", "tuned");
  request.mutable_spec()->mutable_fine_tuning()->set_code_dropout(1);
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "fine_tuning.code_dropout is 1; expected");
}

TEST_F(FineTuning, WhatOnlyTheDataShowFailsTheJob) {
  v1::TrainRequest request = TuningOf("layer-1", "tuned");
  request.mutable_spec()->mutable_fine_tuning()->set_max_shift(28);
  v1::Job job = TrainToEnd(server_->stub(), request);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(job.error().message().find("leave a range of 0 .. 27"), std::string::npos) << job.error().message();
  request = TuningOf("layer-1", "tuned");
  request.mutable_spec()->mutable_training()->set_learning_rate(1e30f);
  job = TrainToEnd(server_->stub(), request);
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(job.error().message().find("fine-tuning has diverged"), std::string::npos) << job.error().message();
  EXPECT_NE(job.error().message().find("lower training.learning_rate from 1e+30"), std::string::npos)
      << job.error().message();
}

TEST_F(FineTuning, TheCommandLineTunesAndJudges) {
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {KWTA_CLI_PROGRAM, "--server", server_->grpc_address()});
    return RunProgram(arguments);
  };
  const ProgramResult trained =
      run({"train", "--model", "tuned", "--base", "layer-1", "--fine-tune", "--data", "fashion-mnist", "--max-rows",
           "500", "--epochs", "5", "--rate", "0.05", "--watch"});
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_NE(trained.out.find("epoch 25/25"), std::string::npos) << trained.out;
  EXPECT_NE(trained.out.find("of the training rows classified wrongly"), std::string::npos) << trained.out;
  EXPECT_EQ(trained.out.find("unexplained"), std::string::npos) << trained.out;
  const ProgramResult evaluated = run({"--json", "evaluate", "--model", "tuned", "--data", "fashion-mnist",
                                       "--max-rows", "400", "--classifier", "svm", "--no-pixels"});
  ASSERT_EQ(evaluated.exit_code, 0) << evaluated.err;
  const nlohmann::json figures = nlohmann::json::parse(evaluated.out);
  EXPECT_EQ(figures["classifier"], "svm");
  EXPECT_FALSE(figures.contains("fraction_variance_unexplained")) << "the decoder is that of before";
  EXPECT_LT(figures["own_classifier_error"], 0.5);
  EXPECT_LT(figures["codes"]["error"], 0.5);
}

}  // namespace
}  // namespace kwta::testing
