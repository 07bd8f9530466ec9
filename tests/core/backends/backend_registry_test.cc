#include "core/backends/backend_registry.h"

#include "core/base/cpu.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/backends/distant_backend.h"

namespace kwta::backend_registry_test {
namespace {

using testing::HasSubstr;

TEST(BackendRegistry, TheReferenceIsAlwaysThereAndLast) {
  ASSERT_FALSE(BackendNames().empty());
  EXPECT_EQ(BackendNames().back(), "reference");
}

TEST(BackendRegistry, EachNameCreatesTheBackendOfThatName) {
  for (const std::string& name : RunnableBackendNames()) {
    const auto backend = CreateBackend(name, BackendOptions());
    ASSERT_TRUE(backend.ok()) << backend.status();
    EXPECT_EQ((*backend)->name(), name);
    EXPECT_LE((*backend)->threads(), AvailableProcessors());
  }
}

TEST(BackendRegistry, NoNameTakesTheBest) {
  const auto backend = CreateBackend("", BackendOptions());
  ASSERT_TRUE(backend.ok()) << backend.status();
  EXPECT_EQ((*backend)->name(), RunnableBackendNames().front());
}

TEST(BackendRegistry, SaysWhatItPassedOver) {
  std::vector<std::string> passed_over;
  BackendOptions options;
  options.passed_over = [&](absl::string_view name, const absl::Status& why) {
    EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable) << why;
    passed_over.emplace_back(name);
  };
  ASSERT_TRUE(CreateBackend("", options).ok());
  std::vector<std::string> expected = BackendNames();
  expected.resize(expected.size() - RunnableBackendNames().size());  // the best are those that lack their device
  EXPECT_EQ(passed_over, expected);
}

TEST(BackendRegistry, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const auto backend = CreateBackend("abacus", BackendOptions());
  ASSERT_EQ(backend.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(backend.status().message()), HasSubstr("\"abacus\""));
  for (const std::string& name : BackendNames()) {
    EXPECT_THAT(std::string(backend.status().message()), HasSubstr(name));
  }
}

TEST(BackendRegistry, SettingsThatABackendDoesNotHaveAreRefused) {
  BackendOptions options;
  options.settings["beads"] = "7";
  for (const std::string& name : BackendNames()) {
    const auto backend = CreateBackend(name, options);
    ASSERT_EQ(backend.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(backend.status().message()), HasSubstr(name + " backend has no setting \"beads\""));
  }
  EXPECT_THAT(std::string(CreateBackend("reference", options).status().message()), HasSubstr("it has none"));
}

TEST(BackendRegistry, SettingsThatNameNothingHereAreRefused) {
  if (RunnableBackendNames().front() != "onednn") GTEST_SKIP() << "the settings are the onednn backend's";
  BackendOptions options;
  options.settings["instruction_set"] = "abacus";
  for (const char* name : {"onednn", ""}) {
    const auto backend = CreateBackend(name, options);
    ASSERT_EQ(backend.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(backend.status().message()), HasSubstr("no instruction set \"abacus\""));
    EXPECT_THAT(std::string(backend.status().message()), HasSubstr("portable"));
  }
  options.settings["instruction_set"] = "portable";
  EXPECT_TRUE(CreateBackend("onednn", options).ok());
  options.settings["filter"] = "sieve";
  const auto backend = CreateBackend("onednn", options);
  ASSERT_EQ(backend.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(backend.status().message()), HasSubstr("\"sieve\" here; expected int8, fp32 or"));
}

}  // namespace
}  // namespace kwta::backend_registry_test
