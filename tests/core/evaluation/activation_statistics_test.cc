#include "core/evaluation/activation_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kwta::activation_statistics_test {
namespace {

using testing::ElementsAre;

SparseCodes Codes(int64_t units, std::vector<int64_t> offsets, std::vector<int32_t> indices,
                  std::vector<float> values) {
  SparseCodes codes;
  codes.units = units;
  codes.row_offsets = std::move(offsets);
  codes.indices = std::move(indices);
  codes.values = std::move(values);
  return codes;
}

TEST(ActivationStatistics, CountsOverAllBatchesOfTheWindow) {
  ActivationStatistics statistics(5);
  EXPECT_EQ(statistics.L0(), 0);
  EXPECT_EQ(statistics.DeadUnits(), 5);
  statistics.Add(Codes(5, {0, 2, 3}, {0, 1, 1}, {1.0f, -2.0f, 0.5f}));
  statistics.Add(Codes(5, {0, 2, 2}, {1, 3}, {0.0f, 4.0f}));  // an entry of zero, and a row without entries
  EXPECT_EQ(statistics.window_rows(), 4);
  EXPECT_EQ(statistics.L0(), 1.0);  // 4 non-zeros in 4 rows
  EXPECT_EQ(statistics.ActiveUnitFraction(), 0.2);
  EXPECT_EQ(statistics.DeadUnits(), 2);
  EXPECT_THAT(statistics.rows_of_unit(), ElementsAre(1, 3, 0, 1, 0));
}

TEST(ActivationStatistics, CountsWhatIsNotZeroInDenseCodes) {
  ActivationStatistics statistics(3);
  const float codes[] = {0, 2, 0, 1, -3, 0};
  statistics.AddDense(codes, 2);
  statistics.AddDense(codes, 1);
  EXPECT_EQ(statistics.window_rows(), 3);
  EXPECT_NEAR(statistics.L0(), 4.0 / 3, 1e-12);
  EXPECT_EQ(statistics.DeadUnits(), 1);
  EXPECT_THAT(statistics.rows_of_unit(), ElementsAre(1, 3, 0));
}

TEST(UnexplainedVariance, IsOneForTheMeanAndZeroForTheRowsThemselves) {
  const float x[] = {1, 2, 3, 6, 5, 4};
  const float mean[] = {3, 4, 3, 4, 3, 4};
  UnexplainedVariance of_mean(2), of_rows(2);
  of_mean.Add(x, mean, 3);
  of_rows.Add(x, x, 1);
  of_rows.Add(x + 2, x + 2, 2);
  EXPECT_NEAR(of_mean.Fraction(), 1.0, 1e-12);
  EXPECT_EQ(of_rows.Fraction(), 0.0);
}

TEST(UnexplainedVariance, AddsUpBatches) {
  const float x[] = {0, 0, 2, 2};
  const float reconstruction[] = {1, 0, 2, 2};
  UnexplainedVariance at_once(2), in_batches(2);
  at_once.Add(x, reconstruction, 2);
  in_batches.Add(x, reconstruction, 1);
  in_batches.Add(x + 2, reconstruction + 2, 1);
  EXPECT_NEAR(at_once.Fraction(), 0.25, 1e-12);  // an error of 1 against 4 around the mean (1, 1)
  EXPECT_EQ(at_once.Fraction(), in_batches.Fraction());
}

}  // namespace
}  // namespace kwta::activation_statistics_test
