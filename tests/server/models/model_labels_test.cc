#include "server/models/model_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

TEST(ModelLabelsTest, WhatIsWrittenIsRead) {
  ModelLabels labels;
  labels.set = {{"canary", 5}, {"stable", 4}};
  labels.previous_stable = 3;
  const auto read = ParseModelLabels(FormatModelLabels(labels));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == labels);
  EXPECT_TRUE(*ParseModelLabels(FormatModelLabels({})) == ModelLabels());
}

TEST(ModelLabelsTest, SaysWhatIsWrongWithAFile) {
  const auto expect = [](const char* json, const char* text) {
    const absl::Status status = ParseModelLabels(json).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << json;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  };
  expect("", "no JSON object");
  expect("[]", "no JSON object");
  expect("{}", "'labels' is no object");
  expect(R"({"labels": {"a b": 1}})", "not a name");
  expect(R"({"labels": {"stable": -1}})", "'stable' is no version");
  expect(R"({"labels": {"stable": 0}})", "'stable' is no version");
  expect(R"({"labels": {"stable": "1"}})", "'stable' is no version");
  expect(R"({"labels": {}, "previous_stable": 1.5})", "'previous_stable'");
}

TEST(ModelLabelsTest, StableRemembersWhatItWas) {
  ModelLabels labels = WithLabel({}, "stable", 2, /*stable=*/3).value();
  EXPECT_EQ(labels.previous_stable, 3);
  labels = WithLabel(labels, "stable", 2, /*stable=*/2).value();
  EXPECT_EQ(labels.previous_stable, 3) << "it did not change";
  labels = WithLabel(labels, "canary", 1, /*stable=*/2).value();
  EXPECT_EQ(labels.previous_stable, 3);
  labels = WithLabel(labels, "stable", 0, /*stable=*/2).value();
  EXPECT_EQ(labels.set.count("stable"), 0);
  EXPECT_EQ(labels.previous_stable, 0) << "from here on the version before the newest is meant";
}

}  // namespace
}  // namespace kwta::server
