// Turns bundles into models that can serve.
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

  // `warm_up_rows` is the largest batch to expect. Once `stopping` returns true, loads end; it may be empty.
  ModelLoader(Create create, int64_t warm_up_rows, std::function<bool()> stopping = {})
      : create_(std::move(create)), warm_up_rows_(warm_up_rows), stopping_(std::move(stopping)) {}

  // Loads and warms up the bundle of `name` at `path`. The caller sets version and directory. Errors: NOT_FOUND,
  // DATA_LOSS (corrupt, incomplete, of another model, or its codes are not finite), CANCELLED (`stopping`), and those
  // of the file system.
  absl::StatusOr<std::shared_ptr<ServedModel>> Load(const std::string& name, const std::string& path) const;

 private:
  // Encodes batches of 1, 2, 4, ... rows before anybody waits for them. This does the setup that the first batch of
  // each size needs, and brings all parameters into memory.
  absl::Status WarmUp(const Encoder& encoder) const;

  const Create create_;
  const int64_t warm_up_rows_;
  const std::function<bool()> stopping_;
};

}  // namespace kwta::server
