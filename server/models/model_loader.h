// Bundles become models that can serve.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "core/io/model_bundle.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Thread-safe.
class ModelLoader {
 public:
  using Create = std::function<absl::StatusOr<std::shared_ptr<const Encoder>>(const ModelBundle&)>;

  // `warm_up_rows` is the largest batch that will come.
  ModelLoader(Create create, int64_t warm_up_rows) : create_(std::move(create)), warm_up_rows_(warm_up_rows) {}

  // The bundle of `name` at `path`, warmed up; version and directory are left to the caller. Errors: NOT_FOUND,
  // DATA_LOSS (corrupt, incomplete, of another model, or its codes are not finite), and those of the file system.
  absl::StatusOr<std::shared_ptr<ServedModel>> Load(const std::string& name, const std::string& path) const;

 private:
  // Encodes batches of 1, 2, 4, ... rows: what is made ready at the first batch of a size is, and all parameters are in
  // memory, before somebody waits for them.
  absl::Status WarmUp(const Encoder& encoder) const;

  const Create create_;
  const int64_t warm_up_rows_;
};

}  // namespace kwta::server
