// What a version of a model does on rows of the data that it was trained on.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/tensors/tensor.h"
#include "server/models/served_model.h"

namespace kwta::server {

// A histogram with bins of one width: counts[i] values lie in low + i * width .. low + (i + 1) * width.
struct Histogram {
  double low = 0, width = 0;
  std::vector<int64_t> counts;
};

// Results of encoding rows, by unit: a unit, or a map, whose activities are those of all positions. Units of views are
// counted apart. Immutable.
struct ModelStudy {
  // The rows, evenly spaced over the training part of the data set, as Encode takes them.
  Tensor rows;
  int64_t units = 0;      // or maps, of all views
  int64_t positions = 1;  // activities of a map for a row
  // [units]: the share of the unit's activities that count as active (ActiveAbove), and the rows that excite it most,
  // kExciting of them, strongest first; -1 where fewer rows excite it.
  std::vector<float> use;
  static constexpr int64_t kExciting = 8;
  std::vector<int32_t> exciting;  // [units, kExciting]
  std::vector<float> excitement;  // their largest activities, [units, kExciting]
  // Mean share of the activities of a row that count as active.
  double active_fraction = 0;
  int64_t dead_units = 0;  // never active
  // Of the activities that are not zero. "k-Sparse Autoencoders", figure 4.
  Histogram activities;
};
using ModelStudyPtr = std::shared_ptr<const ModelStudy>;

// Encodes up to 512 rows of the model's data set, fewer if their codes are large. Errors: NOT_FOUND and others of
// LoadDataset; FAILED_PRECONDITION (the data set has more than 2 GiB: too much to read for this; or its rows are not
// those that the model encodes).
absl::StatusOr<ModelStudyPtr> StudyModel(const ServedModel& model, const std::vector<std::string>& data_directories);

// Keeps the last few studies. Thread-safe.
class ModelStudies {
 public:
  // Data sets given by path are searched in data_directories.
  explicit ModelStudies(std::vector<std::string> data_directories) : data_directories_(std::move(data_directories)) {}

  // Returns the study of the version; makes it if it is not there. Makes one at a time. Errors: those of StudyModel.
  absl::StatusOr<ModelStudyPtr> Get(const ServedModelPtr& model);

 private:
  struct Kept {
    std::weak_ptr<const ServedModel> model;
    ModelStudyPtr study;
  };
  const std::vector<std::string> data_directories_;
  absl::Mutex mutex_;                             // held while a study is made
  std::list<Kept> kept_ ABSL_GUARDED_BY(mutex_);  // latest first
};

}  // namespace kwta::server
