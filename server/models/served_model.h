// One version of a model in memory, and descriptions of versions that may not be in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/encoders/encoder.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {
class StoredClassifier;
}

namespace kwta::server {

class ModelUse;

// One version of a model. A holder may keep using it even after it was replaced, evicted or deleted.
struct ServedModel {
  std::string name;
  uint64_t version = 0;
  std::string directory;  // its bundle; gone once it is deleted
  v1::ModelDescription description;
  std::shared_ptr<const Encoder> encoder;
  std::shared_ptr<const StoredClassifier> classifier;  // of a fine-tuned model, else null
  // Where its use is measured; null: nowhere.
  std::shared_ptr<ModelUse> use;
  // When it was last requested, as the table that holds it counts.
  mutable std::atomic<uint64_t> last_use{0};
};
using ServedModelPtr = std::shared_ptr<const ServedModel>;

// The state of a version.
enum class ModelState {
  kLoading,   // being read and warmed up for the first time
  kReady,     // in memory
  kEvicted,   // on disk; callers that ask for it wait until it is in memory again
  kUnloaded,  // on disk; not used until it is loaded by name
  kFailed,    // did not load; see ModelVersionInfo::failure
};

// "ready", as in metrics and messages.
const char* ModelStateName(ModelState state);

// The version that a caller asks for: a version, or a label, or neither, which means label "stable".
struct ModelSelector {
  absl::string_view name;
  uint64_t version = 0;
  absl::string_view label = {};
};

struct ModelVersionInfo {
  std::string name;
  uint64_t version = 0;
  std::string directory;
  ModelState state = ModelState::kLoading;
  absl::Status failure;              // why it is kFailed, or why a kReady version could not be reloaded
  v1::ModelDescription description;  // empty if it was never readable
  int64_t parameter_bytes = 0;       // the file's bytes until the version was first in memory
  EncodingPath path;                 // of the encoder in memory; empty if it has no choice
  Placement placement;               // the same
  std::vector<std::string> labels;   // labels that name it; "stable" and "canary" count even if nobody has set them

  bool usable() const { return state == ModelState::kReady || state == ModelState::kEvicted; }
};

// The labels that somebody has set on a model, and the previous version of "stable".
struct ModelLabels {
  std::map<std::string, uint64_t, std::less<>> set;
  uint64_t previous_stable = 0;  // 0: none

  bool operator==(const ModelLabels& other) const {
    return set == other.set && previous_stable == other.previous_stable;
  }
};

struct ModelInfo {
  std::string name;
  uint64_t stable = 0;  // the version that Encode uses by default; 0 if there is none
  ModelLabels labels;
  std::vector<ModelVersionInfo> versions;  // oldest first
  // Parts of its directory that were set aside, with the reason: labels that cannot be read, folders that are not
  // versions. The rest of the model serves.
  std::vector<std::string> problems;
};

inline constexpr char kStableLabel[] = "stable";
inline constexpr char kCanaryLabel[] = "canary";

}  // namespace kwta::server
