#include "tests/server/models/bundles.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/io/model_bundle.h"

namespace kwta::server {

void WriteTestBundle(const std::string& directory, const std::string& path, const std::string& name,
                     const std::string& job_id) {
  ModelBundle bundle;
  bundle.description.set_format(1);
  bundle.description.set_name(name);
  bundle.description.set_job_id(job_id);
  bundle.tensors.emplace("atoms", Tensor(DType::kF32, {2, 2}));
  const std::filesystem::path target = std::filesystem::path(directory) / path;
  std::filesystem::create_directories(target.parent_path());
  ASSERT_TRUE(WriteModelBundle(target.string(), bundle).ok());
}

void DamageTestBundle(const std::string& directory, const std::string& path) {
  std::filesystem::resize_file(std::filesystem::path(directory) / path / "model.safetensors", 10);
}

ModelManager::Events IgnoreEvents() {
  ModelManager::Events events;
  events.serving = [](const std::string&, uint64_t) {};
  events.removed = [](const std::string&) {};
  events.changed = [](const ModelInfo&) {};
  events.load_failed = [](const std::string&, const std::string&, const absl::Status&) {};
  events.loaded = [](const std::string&, uint64_t, absl::Duration) {};
  events.evicted = [](const std::string&, uint64_t) {};
  events.set_aside = [](const std::string&, const std::string&) {};
  return events;
}

}  // namespace kwta::server
