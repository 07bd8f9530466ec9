// Codes of a frozen base model as rows to learn from.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/scratch_file.h"
#include "core/io/datasets/stored_blocks.h"
#include "core/preprocessing/moments.h"
#include "core/training/learner_rows.h"

namespace kwta {
namespace {

class RowsOfCodes : public LearnerRows {
 public:
  RowsOfCodes(const Dataset& data, std::shared_ptr<const Encoder> encoder, Shape code_shape, int64_t k)
      : data_(data), encoder_(std::move(encoder)), code_shape_(std::move(code_shape)), k_(k) {}

  int64_t rows() const override { return data_.rows(); }
  const Shape& shape() const override { return code_shape_; }
  double squared_deviation() const override { return squared_deviation_; }
  void Describe(ModelBundle* bundle) const override {
    bundle->description.set_input_width(static_cast<uint32_t>(width()));
  }
  absl::Status Gather(const uint32_t* which, int64_t count, float* out) override {
    if (file_.has_value()) {
      for (int64_t i = 0; i < count; ++i) Unpack(file_->data() + which[i] * PackedBytes(), out + i * width());
      return absl::OkStatus();
    }
    return encoder_->EncodeDense(StoredRows(which, count), k_, out);
  }

  // Bytes needed to keep the codes of all rows.
  int64_t KeptBytes() const { return rows() * PackedBytes(); }
  absl::Status Keep(const std::string& directory) {
    KWTA_ASSIGN_OR_RETURN(ScratchFile file, ScratchFile::Create(directory, KeptBytes()));
    KWTA_RETURN_IF_ERROR(ForEachStoredBlock(
        data_, [&](const RowsView& x, int64_t first) { return Pack(x, file.data() + first * PackedBytes()); }));
    file_ = std::move(file);
    return absl::OkStatus();
  }

  absl::Status MeasureDeviation() {
    Moments moments(width());
    std::vector<uint32_t> which(kStoredBlockRows);
    std::vector<float> block(kStoredBlockRows * width());
    KWTA_RETURN_IF_ERROR(ForEachRowBlock(rows(), kStoredBlockRows, [&](int64_t first, int64_t count) {
      std::iota(which.begin(), which.end(), static_cast<uint32_t>(first));
      KWTA_RETURN_IF_ERROR(Gather(which.data(), count, block.data()));
      moments.Add(block.data(), count);
      return absl::OkStatus();
    }));
    squared_deviation_ = moments.SquaredDeviation();
    return absl::OkStatus();
  }

 private:
  // k indices and k values take less room than a dense row if fewer than half of the units are active. Codes that are
  // dense by nature have as many activities as units.
  bool Sparse() const { return 2 * k_ < width(); }
  int64_t PackedBytes() const { return static_cast<int64_t>(sizeof(float)) * (Sparse() ? 2 * k_ : width()); }

  // Reads rows `which` of the data set; valid until the next call.
  RowsView StoredRows(const uint32_t* which, int64_t count) {
    stored_.resize(count * data_.width() * DTypeSize(data_.dtype()));
    data_.Gather(which, count, stored_.data());
    return {data_.dtype(), stored_.data(), count, data_.width()};
  }

  absl::Status Pack(const RowsView& x, char* out) {
    if (!Sparse()) return encoder_->EncodeDense(x, k_, reinterpret_cast<float*>(out));
    KWTA_RETURN_IF_ERROR(encoder_->EncodeSparse(x, k_, &codes_));
    for (int64_t i = 0; i < x.rows; ++i) {
      int32_t* indices = reinterpret_cast<int32_t*>(out + i * PackedBytes());
      std::copy_n(codes_.indices.begin() + i * k_, k_, indices);
      std::copy_n(codes_.values.begin() + i * k_, k_, reinterpret_cast<float*>(indices + k_));
    }
    return absl::OkStatus();
  }
  void Unpack(const char* packed, float* out) const {
    if (!Sparse()) {
      std::memcpy(out, packed, PackedBytes());
      return;
    }
    const int32_t* indices = reinterpret_cast<const int32_t*>(packed);
    const float* values = reinterpret_cast<const float*>(indices + k_);
    std::fill_n(out, width(), 0.0f);
    for (int64_t e = 0; e < k_; ++e) out[indices[e]] = values[e];
  }

  const Dataset& data_;
  const std::shared_ptr<const Encoder> encoder_;
  const Shape code_shape_;
  const int64_t k_;
  double squared_deviation_ = 0;
  std::optional<ScratchFile> file_;  // [rows, PackedBytes()]
  std::vector<char> stored_;         // scratch: stored rows
  SparseCodes codes_;                // scratch: their codes
};

}  // namespace

absl::StatusOr<std::unique_ptr<LearnerRows>> CodeRows(const Dataset& data, std::shared_ptr<const Encoder> encoder,
                                                      Shape code_shape, const CodeRowsOptions& options) {
  if (data.width() != encoder->input_width()) {
    return absl::InvalidArgumentError(absl::StrCat("rows of the data have width ", data.width(),
                                                   ", but the base model reads rows of width ", encoder->input_width(),
                                                   "; name data of the kind that the base was trained on"));
  }
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder->ResolveK({}));
  auto rows = std::make_unique<RowsOfCodes>(data, std::move(encoder), std::move(code_shape), k);
  if (rows->KeptBytes() <= options.max_kept_bytes) {
    const absl::Status kept = rows->Keep(options.directory);
    if (!kept.ok() && !absl::IsResourceExhausted(kept)) return kept;
  }
  KWTA_RETURN_IF_ERROR(rows->MeasureDeviation());
  return rows;
}

}  // namespace kwta
