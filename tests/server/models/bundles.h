// Model bundles for tests that do not look into them.
#pragma once

#include <string>

#include "server/models/model_manager.h"

namespace kwta::server {

// Writes a bundle of model `name`, made by job `job_id`, to directory/path.
void WriteTestBundle(const std::string& directory, const std::string& path, const std::string& name,
                     const std::string& job_id = "");

// Cuts the tensors of the bundle at directory/path short.
void DamageTestBundle(const std::string& directory, const std::string& path);

ModelManager::Events IgnoreEvents();

}  // namespace kwta::server
