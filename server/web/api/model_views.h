// What the status page shows of a model: its units, their use, and codes of rows.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/models/model_manager.h"
#include "server/services/encode_handler.h"
#include "server/web/api/model_study.h"

namespace kwta::server {

// How the rows that callers had encoded used a version's units.
struct LiveUse {
  int64_t rows = 0;                          // counted; 0: none yet
  std::vector<int64_t> rows_of_unit;         // [code width]: codes that the component was in
  double fraction_variance_unexplained = 0;  // of a sample of them; 0: unknown
};

// Thread-safe. Every method may wait: for a version to be loaded, for files, for Encode. docs/http-api.md describes the
// results. Errors of all: those of ModelManager::Get.
class ModelViews {
 public:
  // REQUIRES: models and encode outlive the views. Data sets given by path are searched in data_directories. `live_use`
  // may be empty.
  ModelViews(ModelManager* models, EncodeHandler* encode, std::vector<std::string> data_directories,
             std::function<LiveUse(const ServedModel&)> live_use)
      : models_(models), encode_(encode), live_use_(std::move(live_use)), studies_(std::move(data_directories)) {}

  // Lists units (or maps) from .. from + count - 1, by number or by use, most used first.
  absl::StatusOr<nlohmann::json> Units(const ModelSelector& model, bool by_use, int64_t from, int64_t count);
  // Returns their pictures as PNG, `columns` in a line. Errors: those of UnitPictures.
  absl::StatusOr<std::string> Pictures(const ModelSelector& model, std::vector<int64_t> units, int64_t columns);
  // Returns histograms: how often the units are used, and their activities.
  absl::StatusOr<nlohmann::json> Activity(const ModelSelector& model);
  // Returns the sample rows that excite a unit most. Errors also: those of StudyModel; OUT_OF_RANGE.
  absl::StatusOr<nlohmann::json> Unit(const ModelSelector& model, int64_t unit);

  // Encodes and reconstructs a sample row, or the picture in `body`: PNG, JPEG, or with `raw` the bytes of a row.
  // Errors also: those of ExamineRow, of StudyModel, of DecodePicture; OUT_OF_RANGE; INVALID_ARGUMENT (the bytes are
  // not a row).
  absl::StatusOr<nlohmann::json> ExamineSample(const ModelSelector& model, int64_t row, const CallContext& context);
  absl::StatusOr<nlohmann::json> ExamineBody(const ModelSelector& model, absl::string_view body, bool raw,
                                             const CallContext& context);

 private:
  // The share of each unit's activities that were not zero, and over which rows that was counted.
  struct Use {
    std::vector<float> share;  // [units]; empty if nothing is known
    int64_t rows = 0;
    bool live = false;
    std::string problem;  // why nothing is known
  };
  Use UseOf(const ServedModelPtr& model);
  absl::StatusOr<nlohmann::json> Examine(const ServedModelPtr& model, const RowsView& row, const CallContext& context);

  ModelManager* const models_;
  EncodeHandler* const encode_;
  const std::function<LiveUse(const ServedModel&)> live_use_;
  ModelStudies studies_;
};

}  // namespace kwta::server
