#include "core/encoders/views_encoder.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

class ViewsEncoder : public Encoder {
 public:
  ViewsEncoder(std::shared_ptr<const Encoder> of_a_view, int64_t views)
      : of_a_view_(std::move(of_a_view)), views_(views) {}

  int64_t input_width() const override { return views_ * of_a_view_->input_width(); }
  int64_t code_width() const override { return views_ * of_a_view_->code_width(); }
  int64_t reconstruction_width() const override { return views_ * of_a_view_->reconstruction_width(); }
  int64_t parameter_bytes() const override { return of_a_view_->parameter_bytes(); }

  bool dense_codes() const override { return of_a_view_->dense_codes(); }
  bool takes_k() const override { return of_a_view_->takes_k(); }

  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override {
    KWTA_ASSIGN_OR_RETURN(const int64_t k, of_a_view_->ResolveK(options));
    return views_ * k;
  }

  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override {
    KWTA_RETURN_IF_ERROR(of_a_view_->Encode(Views(x), k / views_, codes));
    if (auto* sparse = std::get_if<SparseCodes>(codes)) {
      PutSideBySide(x.rows, sparse);
    } else {
      std::get<Tensor>(*codes).Reshape({x.rows, code_width()});  // views are side by side already
    }
    return absl::OkStatus();
  }

  // In dense codes, the floats of a row's views are side by side already.
  absl::Status EncodeDense(const RowsView& x, int64_t k, float* out) const override {
    return of_a_view_->EncodeDense(Views(x), k / views_, out);
  }
  // Of each view, as a row of its own.
  absl::Status Activities(const RowsView& x, int64_t k, SparseCodes* activities) const override {
    return of_a_view_->Activities(Views(x), k / views_, activities);
  }
  int64_t row_activities(int64_t k) const override { return views_ * of_a_view_->row_activities(k / views_); }
  absl::Status DecodeActivities(const SparseCodes& activities, float* out) const override {
    return of_a_view_->DecodeActivities(activities, out);
  }

  absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const override {
    return of_a_view_->ReconstructAsTrained(Views(x));  // training saw each view as a row
  }

  absl::Status Decode(const SparseCodes& codes, float* out) const override {
    SparseCodes of_views;
    of_views.units = codes.units / views_;
    of_views.row_offsets = {0};
    of_views.values = codes.values;
    for (int64_t i = 0; i < codes.rows(); ++i) {
      int64_t j = codes.row_offsets[i];
      for (int64_t view = 0; view < views_; ++view) {
        while (j < codes.row_offsets[i + 1] && codes.indices[j] < (view + 1) * of_views.units) {
          of_views.indices.push_back(static_cast<int32_t>(codes.indices[j++] - view * of_views.units));
        }
        of_views.row_offsets.push_back(j);
      }
    }
    return of_a_view_->Decode(of_views, out);
  }

 private:
  // Merges each `views_` rows into one.
  void PutSideBySide(int64_t rows, SparseCodes* codes) const {
    for (int64_t row = 0; row < rows * views_; ++row) {
      const int32_t first_unit = static_cast<int32_t>(row % views_ * codes->units);
      for (int64_t j = codes->row_offsets[row]; j < codes->row_offsets[row + 1]; ++j) codes->indices[j] += first_unit;
    }
    for (int64_t i = 0; i <= rows; ++i) codes->row_offsets[i] = codes->row_offsets[i * views_];
    codes->row_offsets.resize(rows + 1);
    codes->units *= views_;
  }
  RowsView Views(const RowsView& x) const { return {x.dtype, x.data, x.rows * views_, x.width / views_}; }

  const std::shared_ptr<const Encoder> of_a_view_;
  const int64_t views_;
};

}  // namespace

std::shared_ptr<const Encoder> CreateViewsEncoder(std::shared_ptr<const Encoder> of_a_view, int64_t views) {
  return std::make_shared<ViewsEncoder>(std::move(of_a_view), views);
}

absl::StatusOr<ModelBundle> ModelOfAView(const ModelBundle& bundle) {
  const v1::ModelDescription& description = bundle.description;
  const uint32_t views = description.preprocessing().input().channels();
  if (views < 2 || description.input_width() % views != 0 || description.code_width() % views != 0) {
    return absl::DataLossError(absl::StrCat("the model's description has input_width ", description.input_width(),
                                            " and code_width ", description.code_width(), " for ", views,
                                            " separate views; expected multiples of 2 or more views"));
  }
  ModelBundle of_a_view = bundle.Clone();
  of_a_view.description.set_input_width(description.input_width() / views);
  of_a_view.description.set_code_width(description.code_width() / views);
  return of_a_view;
}

}  // namespace kwta
