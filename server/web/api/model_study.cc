#include "server/web/api/model_study.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "core/tensors/codes.h"

namespace kwta::server {
namespace {

constexpr int64_t kMostRows = 512;
constexpr int64_t kFewestRows = 16;
// Activities that are kept to find their histogram.
constexpr int64_t kMostActivities = int64_t{1} << 22;
constexpr int64_t kRowsOfABlock = 16;
constexpr int kBins = 48;
constexpr double kMostDatasetBytes = double{1u << 31};
constexpr size_t kStudiesKept = 4;

// The rows of the data set that the model's rows come from: whole rows, or a patch of each, cut at a random place.
absl::StatusOr<Tensor> RowsToStudy(const v1::ModelDescription& model, const Dataset& data, int64_t most) {
  const int64_t count = std::min(most, data.rows());
  Tensor rows(data.dtype(), {count, static_cast<int64_t>(model.input_width())});
  const size_t element = DTypeSize(data.dtype());
  const v1::RandomPatchesStep* patches = FindRandomPatches(model.preprocessing());
  KWTA_ASSIGN_OR_RETURN(const Shape image, InputImage(model.preprocessing(), data.row_shape()));
  const int64_t size = patches == nullptr ? 0 : patches->size();
  const Shape row = patches == nullptr ? image : Shape{image[0], size, size};
  if (ElementCount(row) != model.input_width() || row[1] > image[1] || row[2] > image[2]) {
    return absl::FailedPreconditionError(absl::StrCat("the data set has rows of ", ShapeString(data.row_shape()),
                                                      "; the model encodes rows of ", model.input_width(),
                                                      ": the data have changed since the training"));
  }
  Rng rng(1);
  char* out = static_cast<char*>(rows.data());
  for (int64_t i = 0; i < count; ++i) {
    const char* from = static_cast<const char*>(data.row(i * data.rows() / count).data);
    const auto top = static_cast<int64_t>(rng.UniformBelow(image[1] - row[1] + 1));
    const auto left = static_cast<int64_t>(rng.UniformBelow(image[2] - row[2] + 1));
    for (int64_t c = 0; c < row[0]; ++c) {
      for (int64_t y = 0; y < row[1]; ++y, out += row[2] * element) {
        std::memcpy(out, from + ((c * image[1] + top + y) * image[2] + left) * element, row[2] * element);
      }
    }
  }
  KWTA_RETURN_IF_ERROR(data.CheckUnchanged());
  return rows;
}

// Gathers a study from codes, block by block.
class StudyMaker {
 public:
  // Activities count as use if their magnitudes are above active_above.
  StudyMaker(ModelStudy* study, int64_t rows, float active_above)
      : study_(*study), rows_(rows), active_above_(active_above) {
    study_.use.assign(study_.units, 0);
    study_.exciting.assign(study_.units * ModelStudy::kExciting, -1);
    study_.excitement.assign(study_.units * ModelStudy::kExciting, 0);
    peaks_.assign(study_.units, 0);
  }

  void Add(const SparseCodes& codes, int64_t first_row) {
    for (int64_t i = 0; i < codes.rows(); ++i) {
      for (int64_t e = codes.row_offsets[i]; e < codes.row_offsets[i + 1]; ++e) {
        const float value = codes.values[e];
        if (value == 0) continue;
        const int64_t unit = codes.indices[e] / study_.positions;
        activities_.push_back(value);
        if (std::fabs(value) > active_above_) {
          study_.use[unit] += 1;
          ++active_;
        }
        if (peaks_[unit] == 0) touched_.push_back(unit);
        if (std::fabs(value) > std::fabs(peaks_[unit])) peaks_[unit] = value;
      }
      for (const int64_t unit : touched_) {
        Excite(unit, static_cast<int32_t>(first_row + i), peaks_[unit]);
        peaks_[unit] = 0;
      }
      touched_.clear();
    }
  }

  void Finish() {
    const double all = static_cast<double>(rows_ * study_.positions);
    study_.dead_units = std::count(study_.use.begin(), study_.use.end(), 0.0f);
    study_.active_fraction = static_cast<double>(active_) / all / static_cast<double>(study_.units);
    for (float& use : study_.use) use = static_cast<float>(use / all);
    if (activities_.empty()) return;
    const auto [low, high] = std::minmax_element(activities_.begin(), activities_.end());
    Histogram& histogram = study_.activities;
    histogram.low = std::min(0.0f, *low);
    histogram.width = std::max((*high - histogram.low) / kBins, 1e-12);
    histogram.counts.assign(kBins, 0);
    for (const float value : activities_) {
      const auto bin = static_cast<int>((value - histogram.low) / histogram.width);
      ++histogram.counts[std::clamp(bin, 0, kBins - 1)];
    }
  }

 private:
  void Excite(int64_t unit, int32_t row, float value) {
    const int64_t begin = unit * ModelStudy::kExciting, end = begin + ModelStudy::kExciting;
    int64_t at = end;
    while (at > begin && (study_.exciting[at - 1] < 0 || value > study_.excitement[at - 1])) --at;
    if (at == end) return;
    for (int64_t i = end - 1; i > at; --i) {
      study_.exciting[i] = study_.exciting[i - 1];
      study_.excitement[i] = study_.excitement[i - 1];
    }
    study_.exciting[at] = row;
    study_.excitement[at] = value;
  }

  ModelStudy& study_;
  const int64_t rows_;
  const float active_above_;
  int64_t active_ = 0;
  std::vector<float> activities_;
  std::vector<float> peaks_;  // [units]: in the current row
  std::vector<int64_t> touched_;
};

}  // namespace

absl::StatusOr<ModelStudyPtr> StudyModel(const ServedModel& model, const std::vector<std::string>& data_directories) {
  const v1::ModelDescription& description = model.description;
  const double bytes = static_cast<double>(description.statistics().training_rows()) * description.input_width();
  if (bytes > kMostDatasetBytes && FindRandomPatches(description.preprocessing()) == nullptr) {
    return absl::FailedPreconditionError("the data set has more than 2 GiB, too much to read for a look at the model");
  }
  KWTA_ASSIGN_OR_RETURN(const Dataset data, LoadDataset(description.dataset(), DatasetOptions{data_directories}));
  const Encoder& encoder = *model.encoder;
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder.ResolveK({}));
  const int64_t entries = encoder.dense_codes() ? encoder.code_width() : k;
  const int64_t most = std::clamp(kMostActivities / std::max<int64_t>(1, entries), kFewestRows, kMostRows);
  auto study = std::make_shared<ModelStudy>();
  KWTA_ASSIGN_OR_RETURN(study->rows, RowsToStudy(description, data, most));
  const Shape code = CodeShape(description);
  study->positions = code.size() == 3 ? code[1] * code[2] : 1;
  study->units = encoder.code_width() / study->positions;
  const RowsView rows = study->rows.rows();
  StudyMaker maker(study.get(), rows.rows, ActiveAbove(description.encoder()));
  SparseCodes codes;
  for (int64_t begin = 0; begin < rows.rows; begin += kRowsOfABlock) {
    const RowsView block = rows.Slice(begin, std::min(kRowsOfABlock, rows.rows - begin));
    KWTA_RETURN_IF_ERROR(encoder.EncodeSparse(block, k, &codes));
    maker.Add(codes, begin);
  }
  maker.Finish();
  return study;
}

absl::StatusOr<ModelStudyPtr> ModelStudies::Get(const ServedModelPtr& model) {
  absl::MutexLock lock(&mutex_);
  kept_.remove_if([](const Kept& kept) { return kept.model.expired(); });
  for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
    if (kept->model.lock() != model) continue;
    kept_.splice(kept_.begin(), kept_, kept);
    return kept_.front().study;
  }
  // A failure is not kept: a data set that is not there now may come.
  KWTA_ASSIGN_OR_RETURN(ModelStudyPtr study, StudyModel(*model, data_directories_));
  kept_.push_front({model, study});
  if (kept_.size() > kStudiesKept) kept_.pop_back();
  return study;
}

}  // namespace kwta::server
