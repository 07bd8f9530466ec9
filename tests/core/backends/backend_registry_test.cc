#include "core/backends/backend_registry.h"

#include "core/base/cpu.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta {
namespace {

using testing::HasSubstr;

TEST(BackendRegistry, TheReferenceIsAlwaysThereAndLast) {
  ASSERT_FALSE(BackendNames().empty());
  EXPECT_EQ(BackendNames().back(), "reference");
}

TEST(BackendRegistry, EachNameCreatesTheBackendOfThatName) {
  for (const std::string& name : BackendNames()) {
    const auto backend = CreateBackend(name, BackendOptions());
    ASSERT_TRUE(backend.ok()) << backend.status();
    EXPECT_EQ((*backend)->name(), name);
    EXPECT_LE((*backend)->threads(), AvailableProcessors());
  }
}

TEST(BackendRegistry, NoNameTakesTheBest) {
  const auto backend = CreateBackend("", BackendOptions());
  ASSERT_TRUE(backend.ok()) << backend.status();
  EXPECT_EQ((*backend)->name(), BackendNames().front());
}

TEST(BackendRegistry, AnUnknownNameIsAnsweredWithTheKnownOnes) {
  const auto backend = CreateBackend("abacus", BackendOptions());
  ASSERT_EQ(backend.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(backend.status().message()), HasSubstr("\"abacus\""));
  for (const std::string& name : BackendNames()) {
    EXPECT_THAT(std::string(backend.status().message()), HasSubstr(name));
  }
}

}  // namespace
}  // namespace kwta
