// Scrapes while versions come, serve and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/metrics/metrics.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/metrics/codes.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kUnits = 10;

std::shared_ptr<ServedModel> Arrive(Metrics* metrics, uint64_t version) {
  auto model = std::make_shared<ServedModel>();
  model->name = "digits";
  model->version = version;
  model->description.mutable_encoder()->mutable_k_sparse()->set_units(kUnits);
  model->encoder = std::make_shared<FakeEncoder>(2, kUnits);
  model->use = metrics->models().UseOf(*model);
  return model;
}

// The server serves versions up to this one.
ModelInfo InfoUpTo(uint64_t version) {
  ModelInfo info;
  info.name = "digits";
  for (uint64_t each = version > 1 ? version - 1 : 1; each <= version; ++each) {
    info.versions.emplace_back().version = each;
    info.versions.back().state = ModelState::kReady;
  }
  return info;
}

TEST(SwapScrapeTest, EveryScrapeIsWhole) {
  // Swaps go on until there were enough scrapes beside them.
  constexpr uint64_t kLeastSwaps = 300;
  constexpr int kLeastScrapes = 5;
  uint64_t swapped = 0;
  std::atomic<int> scrapes{0};
  Metrics metrics("1", "reference", absl::UnixEpoch());
  std::atomic<bool> over{false};
  std::thread swaps([&] {
    while (swapped < kLeastSwaps || scrapes < kLeastScrapes) {
      const uint64_t version = ++swapped;
      const auto model = Arrive(&metrics, version);
      metrics.models().Set(InfoUpTo(version));
      metrics.models().SetServing("digits", version);
      metrics.RowsEncoded(*model, TwoActive(3, kUnits));
      metrics.models().Loaded("digits", version, 0.01);
      metrics.calls().Refuse(Refusal::kQueueRows);
    }
    over = true;
  });
  double newest = 0;
  do {
    const std::string text = metrics.Render();
    std::set<std::string> series;
    for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n', absl::SkipEmpty()))) {
      if (line[0] == '#') continue;
      const std::string name = line.substr(0, line.rfind(' '));
      EXPECT_TRUE(series.insert(name).second) << name << " is there twice";
      if (name != "kwta_model_version{model=\"digits\"}") continue;
      const double version = std::stod(line.substr(line.rfind(' ')));
      EXPECT_GE(version, newest);
      newest = version;
    }
    ++scrapes;
  } while (!over);
  swaps.join();
  EXPECT_THAT(metrics.Render(), HasSubstr(absl::StrCat("kwta_model_version{model=\"digits\"} ", swapped, "\n")));
  EXPECT_EQ(metrics.rows_encoded(), 3 * swapped);
}

}  // namespace
}  // namespace kwta::server
