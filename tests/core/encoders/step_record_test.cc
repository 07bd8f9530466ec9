#include "core/encoders/step_record.h"

#include <gtest/gtest.h>

#include <numeric>
#include <utility>

#include "core/encoders/k_sparse.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::step_record_test {
namespace {

class StepRecordOnEveryBackend : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Backends, StepRecordOnEveryBackend, testing::ValuesIn(AllBackendNames()),
                         [](const auto& info) { return info.param; });

// What a run without pauses would say, whenever one looks, for more updates than a backend holds the errors of.
TEST_P(StepRecordOnEveryBackend, StatisticsAreTheSameHoweverOftenTheyAreTaken) {
  constexpr int kSteps = 2 * StepRecord::kHeldSteps + 30;
  const std::shared_ptr<Backend> backend = CreateAnyBackend(GetParam(), {2}).value();
  std::vector<StepStatistics> taken;
  for (const int interval : {1, 100, kSteps}) {
    auto learner = CreateKSparseLearner(ResolvedKSparse(12, 2), 5, 3, backend).value();
    Rng rng(31);
    StepStatistics all{{}, std::vector<int64_t>(12)};
    for (int step = 1; step <= kSteps; ++step) {
      const Tensor x = GaussianTensor({3, 5}, 1.0, rng);
      ASSERT_EQ(learner->Step(x.as<float>(), 3, {2, 1e-3f, 0.9f}), absl::OkStatus());
      if (step % interval != 0 && step != kSteps) continue;
      const StepStatistics part = learner->TakeStatistics().value();
      all.squared_errors.insert(all.squared_errors.end(), part.squared_errors.begin(), part.squared_errors.end());
      for (int h = 0; h < 12; ++h) all.active_rows[h] += part.active_rows[h];
    }
    EXPECT_EQ(all.squared_errors.size(), static_cast<size_t>(kSteps));
    EXPECT_EQ(std::accumulate(all.active_rows.begin(), all.active_rows.end(), int64_t{0}), kSteps * 3 * 2);
    EXPECT_TRUE(learner->TakeStatistics().value().squared_errors.empty());
    taken.push_back(std::move(all));
  }
  for (const StepStatistics& each : taken) {
    EXPECT_EQ(each.squared_errors, taken[0].squared_errors);
    EXPECT_EQ(each.active_rows, taken[0].active_rows);
  }
}

}  // namespace
}  // namespace kwta::step_record_test
