// Training of a layer on the codes of a base model, and the rows it learns from.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/training/job_spec.h"
#include "core/training/learner_rows.h"
#include "core/training/run_job.h"
#include "tests/temporary_directory.h"

namespace kwta::stack_training_test {
namespace {

using testing::HasSubstr;

class StackTrainingTest : public testing::Test {
 protected:
  StackTrainingTest() : data_(LoadDataset(Reference(), {{KWTA_TEST_DATA "/datasets"}}).value()) {}

  static v1::DatasetRef Reference() {
    v1::DatasetRef reference;
    reference.set_name("fashion-mnist");
    reference.set_max_rows(600);
    return reference;
  }
  static v1::JobSpec Spec(uint32_t units, bool with_base) {
    v1::JobSpec spec;
    spec.set_model("small");
    spec.mutable_encoder()->mutable_k_sparse()->set_units(units);
    spec.mutable_encoder()->mutable_k_sparse()->set_k(5);
    spec.mutable_encoder()->mutable_k_sparse()->set_encode_alpha(2);
    spec.mutable_training()->set_epochs(3);
    *spec.mutable_dataset() = Reference();
    if (with_base) {
      spec.mutable_base()->set_model("base");
    } else {
      spec.mutable_preprocessing()->set_subtract_mean(true);
    }
    EXPECT_TRUE(ResolveJobSpec(&spec).ok());
    return spec;
  }
  ModelBundle Base() { return RunJob(Spec(40, false), std::nullopt, data_, backend_, {}).value(); }
  absl::StatusOr<ModelBundle> Run(const TrainingControl& control = {}, int threads = 1) {
    return RunJob(Spec(30, true), Base(), data_, CreateBackend("", {threads}).value(), control);
  }
  TrainingControl WithFiles() const {
    TrainingControl control;
    control.checkpoint_directory = directory_.path();
    return control;
  }
  static std::map<std::string, std::vector<float>> Numbers(const ModelBundle& bundle) {
    std::map<std::string, std::vector<float>> numbers;
    for (const auto& [name, tensor] : bundle.tensors) {
      numbers[name].assign(tensor.as<float>(), tensor.as<float>() + tensor.elements());
    }
    return numbers;
  }
  static std::vector<float> ReadAll(LearnerRows& rows) {
    std::vector<uint32_t> which(rows.rows());
    for (size_t i = 0; i < which.size(); ++i) which[i] = static_cast<uint32_t>(which.size() - 1 - i);
    std::vector<float> all(rows.rows() * rows.width());
    EXPECT_TRUE(rows.Gather(which.data(), rows.rows(), all.data()).ok());
    return all;
  }

  const Dataset data_;
  std::shared_ptr<Backend> backend_ = CreateBackend("", {1}).value();
  const TemporaryDirectory directory_;
};

TEST_F(StackTrainingTest, CodesAreTheSameKeptAsSparseRowsOrDenseOnesOrComputedEachTime) {
  const std::shared_ptr<const Encoder> encoder = CreateEncoder(Base(), backend_).value();
  const auto computed = CodeRows(data_, encoder, {40}, {directory_.path(), 600 * 80 - 1}).value();
  EXPECT_EQ(computed->rows(), 600);
  EXPECT_EQ(computed->shape(), Shape{40});
  const std::vector<float> expected = ReadAll(*computed);
  std::vector<float> code(40);
  SparseCodes codes;
  ASSERT_TRUE(encoder->EncodeSparse(data_.row(599), 10, &codes).ok());
  codes.ToDense(code.data());
  EXPECT_EQ(std::vector<float>(expected.begin(), expected.begin() + 40), code);
  EXPECT_EQ(ReadAll(*CodeRows(data_, encoder, {40}, {directory_.path()}).value()), expected);
  EXPECT_EQ(ReadAll(*CodeRows(data_, encoder, {40}, {directory_.path(), 600 * 80}).value()), expected);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path())) << "the file has no name";

  // More than half of the units active: dense rows.
  ModelBundle busy = Base();
  busy.description.mutable_encoder()->mutable_k_sparse()->set_encode_alpha(6);
  const std::shared_ptr<const Encoder> wide = CreateEncoder(busy, backend_).value();
  EXPECT_EQ(ReadAll(*CodeRows(data_, wide, {40}, {directory_.path()}).value()),
            ReadAll(*CodeRows(data_, wide, {40}, {directory_.path(), 1}).value()));
}

TEST_F(StackTrainingTest, CodeRowsSayWhatIsWrong) {
  const std::shared_ptr<const Encoder> encoder = CreateEncoder(LayerOfStack(*Run(), 1).value(), backend_).value();
  absl::Status status = CodeRows(data_, encoder, {30}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("width 784, but the base model reads rows of width 40"));
  status = CodeRows(data_, CreateEncoder(Base(), backend_).value(), {40}, {directory_.File("missing")}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

TEST_F(StackTrainingTest, TheStackHoldsTheBaseUnchangedAndLearnsItsCodes) {
  std::vector<v1::TrainingProgress> reports;
  TrainingControl control;
  control.report = [&](const v1::TrainingProgress& progress) { reports.push_back(progress); };
  const ModelBundle stack = Run(control).value();
  const auto base = Numbers(Base()), whole = Numbers(stack);
  EXPECT_EQ(whole.at("layers.0.atoms"), base.at("atoms"));
  EXPECT_EQ(whole.at("layers.0.bias"), base.at("bias"));
  EXPECT_EQ(whole.at("mean"), base.at("mean"));
  EXPECT_EQ(whole.at("layers.1.atoms").size(), 30u * 40u);
  EXPECT_EQ(stack.description.input_width(), 784u);
  EXPECT_EQ(stack.description.code_width(), 30u);
  EXPECT_EQ(stack.description.name(), "small");
  EXPECT_EQ(stack.description.statistics().training_rows(), 600u);
  EXPECT_LT(reports.back().fraction_variance_unexplained(), reports.front().fraction_variance_unexplained());
  EXPECT_TRUE(CreateEncoder(stack, backend_).ok());
}

TEST_F(StackTrainingTest, DependsNeitherOnThreadsNorOnWhereCodesAreKept) {
  const auto expected = Numbers(Run().value());
  EXPECT_EQ(Numbers(Run({}, 3).value()), expected);
  EXPECT_EQ(Numbers(Run(WithFiles()).value()), expected);
}

TEST_F(StackTrainingTest, GoesOnAfterAnInterruptionAsIfThereHadBeenNone) {
  const auto whole = Numbers(Run().value());
  std::atomic<bool> stop{false};
  TrainingControl control = WithFiles();
  control.report_seconds = 0;
  control.stop = &stop;
  int left = 8;  // of 18 updates
  control.report = [&](const v1::TrainingProgress&) { stop = --left <= 0; };
  ASSERT_EQ(Run(control).status().code(), absl::StatusCode::kCancelled);
  uint64_t first = 0;
  TrainingControl resumed = WithFiles();
  resumed.report_seconds = 0;
  resumed.report = [&](const v1::TrainingProgress& progress) {
    if (first == 0) first = progress.images_done();
  };
  EXPECT_EQ(Numbers(Run(resumed).value()), whole);
  EXPECT_EQ(first, 900u) << "the ninth update";
}

TEST_F(StackTrainingTest, ABaseExcludesPreprocessing) {
  v1::JobSpec spec = Spec(30, true);
  EXPECT_FALSE(spec.has_preprocessing());
  ASSERT_TRUE(ResolveJobSpec(&spec).ok()) << "twice gives the same";
  spec.mutable_preprocessing();
  EXPECT_TRUE(ResolveJobSpec(&spec).ok()) << "nothing is set in it";
  spec.mutable_preprocessing()->set_subtract_mean(false);
  absl::Status status = ResolveJobSpec(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("preprocessing is set together with base"));
  spec = Spec(30, true);
  spec.mutable_base()->set_sha256("short");
  status = ResolveJobSpec(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("base.sha256 has 5 bytes; expected 32"));
  spec.mutable_base()->set_model("no spaces");
  EXPECT_THAT(std::string(ResolveJobSpec(&spec).message()), HasSubstr("base.model"));
}

}  // namespace
}  // namespace kwta::stack_training_test
