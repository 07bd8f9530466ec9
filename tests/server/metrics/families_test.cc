#include "server/metrics/families.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace kwta::server {
namespace {

constexpr char kPage[] = KWTA_TEST_DATA "/../../docs/metrics.md";
constexpr char kBegin[] = "<!-- families: written by server_test, see below -->\n";
constexpr char kEnd[] = "<!-- end of families -->\n";

const char* TypeName(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Gauge:
      return "gauge";
    default:
      return "histogram";
  }
}

std::string Bounds(absl::Span<const double> bounds) { return absl::StrJoin(bounds, ", "); }

// The part of docs/metrics.md between kBegin and kEnd.
std::string FamiliesAsMarkdown() {
  std::string page = "| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n";
  for (const FamilyDefinition& family : AllFamilies()) {
    std::vector<std::string> labels;
    for (const absl::string_view label : absl::StrSplit(family.labels, ", ", absl::SkipEmpty())) {
      labels.push_back(absl::StrCat("`", label, "`"));
    }
    absl::StrAppend(&page, "| `", family.name, "` | ", TypeName(family.type), " | ", family.unit, " | ",
                    absl::StrJoin(labels, ", "), " | ", family.help, " |\n");
  }
  absl::StrAppend(&page, "\n| buckets of | upper bounds |\n|---|---|\n");
  absl::StrAppend(&page, "| seconds | ", Bounds(SecondsBounds()), " |\n");
  absl::StrAppend(&page, "| rows | ", Bounds(RowsBounds()), " |\n");
  absl::StrAppend(&page, "| activation frequency | ", Bounds(ActivationFrequencyBounds()), " |\n");
  absl::StrAppend(&page, "| seconds of queued jobs | ", Bounds(JobQueueSecondsBounds()), " |\n");
  return page;
}

// KWTA_UPDATE_METRICS_PAGE=1 writes the page instead of comparing it.
TEST(FamiliesTest, ThePageSaysWhatTheSourceSays) {
  std::ifstream file(kPage);
  const std::string page{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const size_t begin = page.find(kBegin), end = page.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos && begin < end) << "the marks are gone";
  const size_t from = begin + sizeof(kBegin) - 1;
  const std::string expected = absl::StrCat(page.substr(0, from), FamiliesAsMarkdown(), page.substr(end));
  if (std::getenv("KWTA_UPDATE_METRICS_PAGE") != nullptr) {
    std::ofstream(kPage) << expected;
    return;
  }
  EXPECT_EQ(page.substr(from, end - from), FamiliesAsMarkdown())
      << "write it anew with KWTA_UPDATE_METRICS_PAGE=1 build/release/bin/server_test --gtest_filter='FamiliesTest.*'";
}

TEST(FamiliesTest, NamesAreUniqueAndSayTheirUnit) {
  std::set<std::string> names;
  for (const FamilyDefinition& family : AllFamilies()) {
    const std::string name = family.name, unit = family.unit;
    EXPECT_TRUE(names.insert(name).second) << name;
    for (const char* base : {"seconds", "bytes"}) {
      if (unit == base) {
        EXPECT_NE(name.find(base), std::string::npos) << name;
      }
    }
    const bool total = name.size() > 6 && name.substr(name.size() - 6) == "_total";
    EXPECT_EQ(total, family.type == prometheus::MetricType::Counter) << name;
  }
}

}  // namespace
}  // namespace kwta::server
