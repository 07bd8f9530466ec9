// The learning rate that the rows decide.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "core/training/job_spec.h"

namespace kwta::fit_training_test {
namespace {

using testing::HasSubstr;

// Rows of a plane, turned by a right angle from one to the next: (u'x)^2 is `first` on average along one axis, `second`
// along the other.
class CrossedRows : public LearnerRows {
 public:
  CrossedRows(int64_t rows, float first, float second) : rows_(rows), first_(first), second_(second) {}
  int64_t rows() const override { return rows_; }
  const Shape& shape() const override { return shape_; }
  absl::Status Gather(const uint32_t* which, int64_t count, float* out) override {
    for (int64_t i = 0; i < count; ++i) {
      const bool even = which[i] % 2 == 0;
      const float length = std::sqrt(2 * (even ? first_ : second_));
      // Neither axis is that of a component.
      out[2 * i] = length * (even ? 0.6f : -0.8f);
      out[2 * i + 1] = length * (even ? 0.8f : 0.6f);
    }
    return absl::OkStatus();
  }
  double squared_deviation() const override { return 1; }
  void Describe(ModelBundle*) const override {}

 private:
  const int64_t rows_;
  const float first_, second_;
  const Shape shape_{2};
};

v1::JobSpec Spec() {
  v1::JobSpec spec;
  spec.set_model("digits");
  spec.mutable_encoder()->mutable_k_sparse();
  spec.mutable_dataset()->set_name("fashion-mnist");
  EXPECT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  return spec;
}

float RateFor(v1::JobSpec spec, CrossedRows rows) {
  EXPECT_EQ(FitTraining(&spec, rows), absl::OkStatus());
  EXPECT_TRUE(spec.training().has_learning_rate());
  return spec.training().learning_rate();
}

TEST(FitTraining, TakesTheEncodersRateOrLessForRowsThatAreLongInOneDirection) {
  EXPECT_EQ(RateFor(Spec(), {10, 20, 5}), 0.01f);
  EXPECT_FLOAT_EQ(RateFor(Spec(), {10, 50, 5}), 0.25f / 50);
  EXPECT_FLOAT_EQ(RateFor(Spec(), {10, 5, 50}), 0.25f / 50);
  EXPECT_FLOAT_EQ(RateFor(Spec(), {10, 4900, 5000}), 0.25f / 5000);
  EXPECT_EQ(RateFor(Spec(), {10, 0, 0}), 0.01f);
  EXPECT_FLOAT_EQ(RateFor(Spec(), {1, 50, 5}), 0.25f / 100) << "one row alone";
  EXPECT_NEAR(RateFor(Spec(), {12'345, 50, 5}), 0.25f / 50, 2e-4) << "a sample of the rows";
}

TEST(FitTraining, TakesWhatDropoutLearnsWith) {
  const auto resolved = [](v1::DropoutSpec dropout) {
    v1::JobSpec spec = Spec();
    spec.clear_preprocessing();
    *spec.mutable_encoder()->mutable_dropout() = std::move(dropout);
    EXPECT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
    return spec;
  };
  v1::DropoutSpec dropout;
  EXPECT_TRUE(resolved(dropout).preprocessing().subtract_mean());
  EXPECT_EQ(RateFor(resolved(dropout), {10, 5, 1}), 0.02f);
  EXPECT_FLOAT_EQ(RateFor(resolved(dropout), {10, 50, 5}), 0.25f / 50);
  dropout.set_activation(v1::ACTIVATION_SOFTPLUS);
  EXPECT_FLOAT_EQ(RateFor(resolved(dropout), {10, 50, 5}), 0.05f / 50);
  dropout.set_decoder(v1::DECODER_SIGMOID);
  EXPECT_FALSE(resolved(dropout).preprocessing().subtract_mean());
  EXPECT_FLOAT_EQ(RateFor(resolved(dropout), {10, 50, 5}), 0.1f / 50);
}

TEST(FitTraining, LeavesARateThatIsSet) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_learning_rate(7);
  EXPECT_EQ(RateFor(spec, {10, 5000, 1}), 7);
}

TEST(FitTraining, RefusesAFinalRateAboveIt) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_final_learning_rate(0.02f);
  CrossedRows rows(10, 1, 1);
  const absl::Status status = FitTraining(&spec, rows);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training.final_learning_rate is 0.02; expected 0 .. 0.01, the "
                                                       "learning rate that is chosen for these rows"));
}

TEST(FitTraining, RefusesRowsSoLargeThatTheRateWouldVanish) {
  v1::JobSpec spec = Spec();
  CrossedRows large(10, 1e37f, 1);
  EXPECT_EQ(FitTraining(&spec, large), absl::OkStatus());
  EXPECT_FLOAT_EQ(spec.training().learning_rate(), 0.25e-37f);
  spec = Spec();
  CrossedRows larger(10, 1e38f, 1);
  const absl::Status status = FitTraining(&spec, larger);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is 1e+38, for which no learning rate is small enough"));
  EXPECT_FALSE(spec.training().has_learning_rate());
}

}  // namespace
}  // namespace kwta::fit_training_test
