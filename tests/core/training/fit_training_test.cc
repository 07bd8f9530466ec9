// The learning rate that the rows decide.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/training/job_spec.h"

namespace kwta::fit_training_test {
namespace {

using testing::HasSubstr;

// Row i has |x|^2 = (i % 2 == 0 ? 1 : 3) * energy.
class TwoNorms : public LearnerRows {
 public:
  TwoNorms(int64_t rows, float energy) : rows_(rows), energy_(energy) {}
  int64_t rows() const override { return rows_; }
  const Shape& shape() const override { return shape_; }
  absl::Status Gather(const uint32_t* which, int64_t count, float* out) override {
    for (int64_t i = 0; i < count; ++i) {
      const float squared = (which[i] % 2 == 0 ? 1.0f : 3.0f) * energy_;
      out[2 * i] = 0;
      out[2 * i + 1] = -std::sqrt(squared);
    }
    return absl::OkStatus();
  }
  double squared_deviation() const override { return 1; }
  void Describe(ModelBundle*) const override {}

 private:
  const int64_t rows_;
  const float energy_;
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

float RateFor(v1::JobSpec spec, TwoNorms rows) {
  EXPECT_EQ(FitTraining(&spec, rows), absl::OkStatus());
  EXPECT_TRUE(spec.training().has_learning_rate());
  return spec.training().learning_rate();
}

TEST(FitTraining, TakesTheEncodersRateOrLessForRowsOfLargeNorm) {
  EXPECT_EQ(RateFor(Spec(), {10, 30}), 0.01f);
  EXPECT_FLOAT_EQ(RateFor(Spec(), {10, 75}), 0.75f / 150);
  EXPECT_FLOAT_EQ(RateFor(Spec(), {10, 7500}), 0.75f / 15000);
  EXPECT_EQ(RateFor(Spec(), {10, 0}), 0.01f);
  EXPECT_FLOAT_EQ(RateFor(Spec(), {1, 150}), 0.75f / 150);
  EXPECT_NEAR(RateFor(Spec(), {12'345, 75}), 0.75f / 150, 1e-4) << "a sample of the rows";
}

TEST(FitTraining, LeavesARateThatIsSet) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_learning_rate(7);
  EXPECT_EQ(RateFor(spec, {10, 7500}), 7);
}

TEST(FitTraining, RefusesAFinalRateAboveIt) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_final_learning_rate(0.02f);
  TwoNorms rows(10, 1);
  const absl::Status status = FitTraining(&spec, rows);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training.final_learning_rate is 0.02; expected 0 .. 0.01, the "
                                                       "learning rate that is chosen for these rows"));
}

}  // namespace
}  // namespace kwta::fit_training_test
