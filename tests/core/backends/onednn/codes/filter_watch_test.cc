#include "core/backends/onednn/codes/filter_watch.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta::onednn::codes::filter_watch_test {
namespace {

using support::Filter;
using testing::HasSubstr;

class FilterWatchTest : public testing::Test {
 protected:
  // Serves calls of `rows` rows, each of which takes the microseconds in costs_ and fails for a share of the rows.
  // Returns how many took another filter than the one in use before.
  int Serve(int calls, int64_t rows = 256, double left_out = 0) {
    int others = 0;
    for (int call = 0; call < calls; ++call) {
      const Filter in_use = watch_.filter();
      const Filter filter = watch_.Next(rows);
      others += filter != in_use;
      watch_.Took(filter, rows, static_cast<int64_t>(left_out * static_cast<double>(rows)),
                  costs_[filter] * 1e-6 * static_cast<double>(rows));
    }
    return others;
  }

  FilterWatch watch_{{Filter::kBytes, Filter::kFloats}, Filter::kBytes, "made-up rows say so"};
  std::map<Filter, double> costs_ = {{Filter::kBytes, 30}, {Filter::kFloats, 20}};
};

TEST_F(FilterWatchTest, TakesTheFasterOnTheRowsThatAreServed) {
  EXPECT_EQ(watch_.reason(), "made-up rows say so");
  EXPECT_EQ(watch_.changes(), 0u);
  Serve(20);
  EXPECT_EQ(watch_.filter(), Filter::kFloats);
  EXPECT_EQ(watch_.changes(), 1u);
  EXPECT_THAT(watch_.reason(), HasSubstr("int8 30 us, fp32 20 us"));
  // Later both are compared again.
  costs_[Filter::kBytes] = 10;
  Serve(200);
  EXPECT_EQ(watch_.filter(), Filter::kBytes);
  EXPECT_EQ(watch_.changes(), 2u);
}

TEST_F(FilterWatchTest, KeepsTheOneInUseUnlessAnotherIsClearlyFaster) {
  costs_[Filter::kFloats] = 29;
  Serve(1000);
  EXPECT_EQ(watch_.filter(), Filter::kBytes);
  EXPECT_EQ(watch_.changes(), 1u) << "the reason has changed, once";
}

TEST_F(FilterWatchTest, AMuchSlowerFilterCostsFewCalls) {
  costs_[Filter::kFloats] = 100;
  EXPECT_LE(Serve(3000), 4);
  EXPECT_EQ(watch_.filter(), Filter::kBytes);
}

TEST_F(FilterWatchTest, ComparesOnlyCallsOfAboutTheSameSize) {
  // Large calls are cheaper by the row.
  for (int i = 0; i < 20; ++i) {
    Serve(1, 32);
    costs_ = {{Filter::kBytes, 10}, {Filter::kFloats, 12}};
    Serve(1, 4096);
    costs_ = {{Filter::kBytes, 30}, {Filter::kFloats, 36}};
  }
  EXPECT_EQ(watch_.filter(), Filter::kBytes);
  EXPECT_EQ(watch_.changes(), 1u);
}

TEST_F(FilterWatchTest, SmallCallsChangeNothing) {
  EXPECT_EQ(Serve(1000, FilterWatch::kFewestRows - 1), 0);
  EXPECT_EQ(watch_.changes(), 0u);
}

TEST_F(FilterWatchTest, LooksAgainWhenTheFilterBeginsToFail) {
  costs_[Filter::kFloats] = 100;
  Serve(3000);
  ASSERT_EQ(watch_.filter(), Filter::kBytes);
  // Other data: bytes fail for most rows, which are computed twice.
  costs_[Filter::kBytes] = 130;
  Serve(30, 256, 0.9);
  EXPECT_EQ(watch_.filter(), Filter::kFloats);
}

TEST(FilterWatch, OneFilterStays) {
  FilterWatch watch({Filter::kBytes}, Filter::kBytes, "it is the only one");
  for (int call = 0; call < 100; ++call) {
    ASSERT_EQ(watch.Next(256), Filter::kBytes);
    watch.Took(Filter::kBytes, 256, 256, 1);
  }
  EXPECT_EQ(watch.changes(), 0u);
}

}  // namespace
}  // namespace kwta::onednn::codes::filter_watch_test
