#include "client/cli/model_input.h"

#include <gmock/gmock.h>

#include <string>

namespace kwta::client::cli {
namespace {

using ::testing::HasSubstr;

v1::Model Digits() {
  v1::Model model;
  model.set_name("digits");
  model.set_serving_version(2);
  for (const uint64_t version : {1, 2, 5}) model.add_versions()->set_version(version);
  model.mutable_versions(1)->add_labels("stable");
  model.mutable_versions(2)->add_labels("canary");
  return model;
}

uint64_t Chosen(uint64_t version, const std::string& label) {
  EncodeSettings settings;
  settings.version = version;
  settings.label = label;
  const auto chosen = ChosenVersion(Digits(), settings);
  EXPECT_TRUE(chosen.ok()) << chosen.status();
  return chosen.ok() ? chosen->version() : 0;
}

TEST(ChosenVersion, IsThatOfItsNumberOrItsLabelOrTheOneThatServes) {
  EXPECT_EQ(Chosen(0, ""), 2);
  EXPECT_EQ(Chosen(1, ""), 1);
  EXPECT_EQ(Chosen(5, ""), 5);
  EXPECT_EQ(Chosen(0, "canary"), 5);
  EXPECT_EQ(Chosen(0, "stable"), 2);
}

TEST(ChosenVersion, SaysWhatThereIsNot) {
  EncodeSettings settings;
  settings.version = 3;
  absl::Status status = ChosenVersion(Digits(), settings).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "model 'digits' has no version 3; there are 1, 2, 5");
  settings.version = 0;
  settings.label = "new";
  status = ChosenVersion(Digits(), settings).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(std::string(status.message()), "no version of model 'digits' has label 'new'");
  settings.label.clear();
  v1::Model model = Digits();
  model.set_serving_version(0);
  status = ChosenVersion(model, settings).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no version of model 'digits' can serve"));
}

}  // namespace
}  // namespace kwta::client::cli
