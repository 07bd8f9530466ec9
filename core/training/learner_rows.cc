#include "core/training/learner_rows.h"

#include <utility>

#include "core/base/status_macros.h"
#include "core/preprocessing/training_rows.h"

namespace kwta {
namespace {

class RowsOfDataset : public LearnerRows {
 public:
  explicit RowsOfDataset(TrainingRows rows) : rows_(std::move(rows)) {}

  int64_t rows() const override { return rows_.rows(); }
  const Shape& shape() const override { return rows_.preprocessor().output_shape(); }
  absl::Status Gather(const uint32_t* which, int64_t count, float* out) override {
    return rows_.Gather(which, count, out);
  }
  std::vector<float> mean() const override { return rows_.preprocessor().mean(); }
  std::vector<float> offset() const override { return rows_.preprocessor().OffsetOfZeros(); }
  double squared_deviation() const override { return rows_.squared_deviation(); }
  int64_t views() const override { return rows_.views(); }
  std::vector<std::string> warnings() const override { return rows_.warnings(); }
  void Describe(ModelBundle* bundle) const override {
    rows_.preprocessor().Export(&bundle->tensors);
    bundle->description.set_input_width(static_cast<uint32_t>(rows_.model_input_width()));
    *bundle->description.mutable_preprocessing() = rows_.spec();
  }

 private:
  TrainingRows rows_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<LearnerRows>> PreprocessedRows(const v1::PreprocessingSpec& spec, const Dataset& data,
                                                              Backend& backend, const std::string& directory) {
  KWTA_ASSIGN_OR_RETURN(TrainingRows rows, TrainingRows::Create(spec, data, backend, directory));
  return std::make_unique<RowsOfDataset>(std::move(rows));
}

}  // namespace kwta
