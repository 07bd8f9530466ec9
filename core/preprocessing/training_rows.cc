#include "core/preprocessing/training_rows.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/scratch_file.h"
#include "core/preprocessing/moments.h"
#include "core/preprocessing/patches.h"
#include "core/preprocessing/row_blocks.h"

namespace kwta {

absl::StatusOr<TrainingRows> TrainingRows::Create(const v1::PreprocessingSpec& spec, const Dataset& data,
                                                  Backend& backend, const std::string& directory) {
  TrainingRows rows(spec, data);
  KWTA_ASSIGN_OR_RETURN(const Shape image, InputImage(spec, data.row_shape()));
  v1::ImageShape& input = *rows.spec_.mutable_input();
  input.set_channels(static_cast<uint32_t>(image[0]));
  input.set_height(static_cast<uint32_t>(image[1]));
  input.set_width(static_cast<uint32_t>(image[2]));
  KWTA_RETURN_IF_ERROR(ResolvePreprocessing(&rows.spec_));  // checks that the extents are accepted
  KWTA_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, PreprocessedShapes(rows.spec_, image));

  if (SeparatesViews(spec)) KWTA_RETURN_IF_ERROR(rows.SeparateViews(image));
  if (const v1::RandomPatchesStep* patches = FindRandomPatches(spec)) {
    const Shape& source = shapes[DatasetSteps(spec) - 1];
    KWTA_ASSIGN_OR_RETURN(rows.data_, DrawPatches(rows.data_, source, *patches, directory));
  }
  ThreadPool pool(backend.threads());
  KWTA_RETURN_IF_ERROR(rows.Fit(shapes, backend, pool));
  const bool costly = std::any_of(spec.steps().begin(), spec.steps().end(), IsCostly);
  if (costly) KWTA_RETURN_IF_ERROR(rows.Store(pool, directory));

  Moments moments(rows.width());
  const Preprocessor as_stored(spec, {});
  KWTA_RETURN_IF_ERROR(
      ForEachBlock(rows.data_, rows.stored_ ? as_stored : rows.preprocessor_, pool, [&](const float* x, int64_t count) {
        moments.Add(x, count);
        return absl::OkStatus();
      }));
  rows.squared_deviation_ = moments.SquaredDeviation();
  if (spec.subtract_mean()) rows.preprocessor_.mean_ = RoundedMean(moments);
  return rows;
}

absl::Status TrainingRows::SeparateViews(const Shape& image) {
  views_ = image[0];
  if (data_.rows() > std::numeric_limits<uint32_t>::max() / views_) {
    return absl::InvalidArgumentError(absl::StrCat("the data have ", data_.rows(), " rows of ", views_,
                                                   " views; at most 2^32 views can be told apart"));
  }
  data_ = data_.Divided(views_, {1, image[1], image[2]});
  return absl::OkStatus();
}

absl::Status TrainingRows::Fit(const std::vector<Shape>& shapes, Backend& backend, ThreadPool& pool) {
  const int first = DatasetSteps(spec_);
  preprocessor_.input_shape_ = preprocessor_.output_shape_ = shapes[first];
  FittingRows rows;
  rows.rows = data_.rows();
  rows.backend = &backend;
  rows.warnings = &warnings_;
  rows.for_each_block = [&](const std::function<absl::Status(const float*, int64_t)>& visit) {
    return ForEachBlock(data_, preprocessor_, pool, visit);
  };
  for (int i = first; i < spec_.steps_size(); ++i) {
    KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Step> step,
                          FitStep(spec_.steps(i), absl::StrCat("preprocessing.steps[", i, "]"), shapes[i], rows));
    preprocessor_.AddStep(i, std::move(step), shapes[i + 1]);
  }
  return absl::OkStatus();
}

absl::Status TrainingRows::Store(ThreadPool& pool, const std::string& directory) {
  const int64_t rows = data_.rows();
  KWTA_ASSIGN_OR_RETURN(ScratchFile scratch, ScratchFile::Create(directory, rows * width() * sizeof(float)));
  auto file = std::make_shared<ScratchFile>(std::move(scratch));
  float* out = reinterpret_cast<float*>(file->data());
  KWTA_RETURN_IF_ERROR(ForEachBlock(data_, preprocessor_, pool, [&](const float* x, int64_t count) {
    out = std::copy_n(x, count * width(), out);
    return absl::OkStatus();
  }));
  std::vector<uint32_t> order(rows);
  std::iota(order.begin(), order.end(), 0u);
  const RowsView view{DType::kF32, file->data(), rows, width()};
  data_ = Dataset(std::move(file), view, preprocessor_.output_shape(), std::move(order), {});
  stored_ = true;
  return absl::OkStatus();
}

absl::Status TrainingRows::Gather(const uint32_t* which, int64_t count, float* out) {
  const bool copied = data_.dtype() != DType::kF32 || (preprocessor_.has_steps() && !stored_);
  const int64_t row_bytes = data_.width() * static_cast<int64_t>(DTypeSize(data_.dtype()));
  if (copied) gathered_.resize(std::max<size_t>(gathered_.size(), count * row_bytes));
  void* stored = copied ? static_cast<void*>(gathered_.data()) : out;
  data_.Gather(which, count, stored);
  if (copied) return preprocessor_.Apply({data_.dtype(), stored, count, data_.width()}, out);
  preprocessor_.SubtractMean(count, out);
  return absl::OkStatus();
}

}  // namespace kwta
