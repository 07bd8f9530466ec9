// A process that ends while it loads models.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "server/models/model_loader.h"
#include "server/models/model_manager.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

TEST(StoppingTest, TheFirstLoadIsTheLast) {
  const TemporaryDirectory directory;
  for (const char* path : {"a/1", "b/1", "c/1"}) WriteTestBundle(directory.path(), path, std::string(1, path[0]));
  int loads = 0;
  bool stopping = false;
  ModelManagerOptions options;
  options.stopping = [&stopping] { return stopping; };
  ModelManager::Events events = IgnoreEvents();
  events.load_failed = [](const std::string&, const std::string&, const absl::Status& status) {
    ADD_FAILURE() << "nothing is wrong with the bundle: " << status;
  };
  const auto create = [&](const ModelBundle&) {
    ++loads;
    stopping = true;
    return std::make_shared<FakeEncoder>(2, 4);
  };
  const auto opened = ModelManager::Open(directory.path(), options, create, std::move(events));
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(loads, 1);
}

TEST(StoppingTest, NoMoreBatchesWarmUp) {
  const TemporaryDirectory directory;
  WriteTestBundle(directory.path(), "a/1", "a");
  const auto encoder = std::make_shared<FakeEncoder>(2, 4);
  bool stopping = false;
  encoder->on_batch = [&stopping](int64_t rows) { stopping = rows == 4; };
  const ModelLoader loader([&encoder](const ModelBundle&) { return encoder; }, 256, [&stopping] { return stopping; });
  EXPECT_EQ(loader.Load("a", directory.File("a/1")).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(encoder->batches, (std::vector<int64_t>{1, 2, 4}));
}

}  // namespace
}  // namespace kwta::server
