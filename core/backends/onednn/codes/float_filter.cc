#include "core/backends/onednn/codes/float_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/backends/onednn/codes/bounds.h"
#include "core/backends/onednn/codes/code_finder.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/support/arena.h"
#include "core/backends/onednn/support/dnnl_gemm.h"
#include "core/backends/onednn/support/first_error.h"
#include "core/backends/reference/exact_top_k.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/simd/byte_values.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::codes {
namespace {

// A product of one row with all atoms is bound by reading the atoms, so exact scores cost no more than approximate
// ones. With more rows, the matrix product reads each atom once for all of them.
constexpr size_t kRowsComputedExactly = 1;

// Number of rows whose scores are held at once, and tiles of the product that computes them. A tile's scores and its
// share of the atoms fit into a core's own cache together.
constexpr int64_t kFloatBlockRows = 256;
constexpr int64_t kFloatTileRows = 128;
constexpr int64_t kFloatTileUnits = 512;
constexpr int64_t kMaxScoreBytes = int64_t{16} << 20;

constexpr int64_t kFloatGrainUnits = 64;
constexpr int64_t kFloatGrainRows = 4;

class FloatCall {
 public:
  FloatCall(support::Context& context, const AffineTopKArgs& args, const std::vector<int64_t>& rows, bool bf16)
      : context_(context),
        args_(args),
        dictionary_(static_cast<const PreparedDictionary&>(*args.dictionary)),
        rows_(rows),
        largest_(LargestKernelsFor(context.instruction_set)),
        units_(dictionary_.units),
        width_(dictionary_.width),
        bf16_(bf16 && rows.size() > kRowsComputedExactly ? dictionary_.bf16() : nullptr),
        stride_(bf16_ != nullptr ? bf16_->stride() : PaddedScores(units_)),
        block_rows_(std::clamp<int64_t>(kMaxScoreBytes / (stride_ * static_cast<int64_t>(sizeof(float))), 1,
                                        std::min(kFloatBlockRows, static_cast<int64_t>(rows.size())))) {}

  absl::Status Run() {
    KWTA_ASSIGN_OR_RETURN(const support::ScratchPool::Lease lease,
                          support::TakeArrays(context_.scratch, [&](support::Arena& arena) { TakeMemory(arena); }));
    float* const scores = scores_;
    const int64_t count = static_cast<int64_t>(rows_.size());
    const bool exact = rows_.size() <= kRowsComputedExactly;
    for (int64_t begin = 0; begin < count; begin += block_rows_) {
      const int64_t rows = std::min(block_rows_, count - begin);
      const float* x = Gather(begin, rows, gathered_);
      if (exact) {
        ComputeExactScores(x, rows, scores);
      } else if (bf16_ != nullptr) {
        RoundRows(x, rows);
        KWTA_RETURN_IF_ERROR(ComputeBf16Scores(rows, scores));
      } else {
        KWTA_RETURN_IF_ERROR(ComputeApproximateScores(x, rows, scores));
      }
      context_.pool.ParallelFor(rows, kFloatGrainRows, [&](int64_t first, int64_t last, int) {
        CodeFinder finder(context_.instruction_set, dictionary_);
        std::vector<float> scratch(static_cast<size_t>(TopKScratchElements(units_)));
        for (int64_t i = first; i < last; ++i) {
          EncodeRow(rows_[begin + i], x + i * width_, exact, i, scores + i * stride_, &finder, scratch.data());
        }
      });
    }
    return absl::OkStatus();
  }

 private:
  void TakeMemory(support::Arena& arena) {
    // bf16 products need whole tiles of rows.
    const int64_t rows = bf16_ != nullptr ? RoundUp(block_rows_, Bf16Atoms::kTileRows) : block_rows_;
    scores_ = arena.Take<float>(rows * stride_);
    gathered_ = arena.Take<float>(block_rows_ * width_);
    rounded_ = arena.Take<uint16_t>(bf16_ != nullptr ? rows * width_ : 0);
    rest_norms_ = arena.Take<double>(block_rows_);
    rests_ = arena.Take<float>(bf16_ != nullptr ? context_.pool.threads() * width_ : 0);
  }

  // Places the rows of a block next to each other.
  const float* Gather(int64_t begin, int64_t rows, float* gathered) const {
    if (args_.x != nullptr && rows_[begin + rows - 1] - rows_[begin] == rows - 1) {
      return args_.x + rows_[begin] * width_;
    }
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t row = rows_[begin + i];
      if (args_.x != nullptr) {
        std::copy_n(args_.x + row * width_, width_, gathered + i * width_);
      } else {
        simd::DivideBytes(args_.bytes + row * width_, width_, args_.divisor, gathered + i * width_);
      }
    }
    return gathered;
  }

  void ComputeExactScores(const float* x, int64_t rows, float* scores) {
    context_.pool.ParallelFor(rows * units_, kFloatGrainUnits, [&](int64_t first, int64_t last, int) {
      for (int64_t at = first; at < last; ++at) {
        const int64_t unit = at % units_;
        scores[at / units_ * stride_ + unit] =
            simd::FixedOrderDot(x + at / units_ * width_, dictionary_.atoms + unit * width_, width_) +
            dictionary_.bias[unit];
      }
    });
  }

  absl::Status ComputeApproximateScores(const float* x, int64_t rows, float* scores) {
    const int64_t row_tiles = DivideUp(rows, kFloatTileRows);
    // At least a tile for each thread.
    const int64_t wanted = std::max(DivideUp(units_, kFloatTileUnits), DivideUp(context_.pool.threads(), row_tiles));
    const int64_t tile_units = RoundUp(DivideUp(units_, wanted), 16);
    const int64_t unit_tiles = DivideUp(units_, tile_units);
    support::FirstError error;
    context_.pool.ParallelFor(row_tiles * unit_tiles, 1, [&](int64_t tile, int64_t, int) {
      const int64_t row = tile / unit_tiles * kFloatTileRows;
      const int64_t unit = tile % unit_tiles * tile_units;
      support::DnnlGemmArgs gemm;
      gemm.a = x + row * width_;
      gemm.lda = width_;
      gemm.b = dictionary_.atoms + unit * width_;
      gemm.ldb = width_;
      gemm.transpose_b = true;
      gemm.c = scores + row * stride_ + unit;
      gemm.ldc = stride_;
      gemm.m = std::min(kFloatTileRows, rows - row);
      gemm.n = std::min(tile_units, units_ - unit);
      gemm.k = width_;
      error.Update(support::DnnlGemm(gemm));
    });
    return error.status();
  }

  // Fills rounded_ and rest_norms_ for a block of rows; the remainder of the last tile is zero.
  void RoundRows(const float* x, int64_t rows) {
    context_.pool.ParallelFor(rows, kFloatGrainRows, [&](int64_t first, int64_t last, int thread) {
      float* const rest = rests_ + thread * width_;
      for (int64_t i = first; i < last; ++i) {
        Bf16Atoms::Round(x + i * width_, width_, rounded_ + i * width_, rest);
        rest_norms_[i] = std::sqrt(context_.rows.squared_norm(rest, width_)) * kLengthRoundUp;
      }
    });
    const int64_t padded = RoundUp(rows, Bf16Atoms::kTileRows);
    std::fill(rounded_ + rows * width_, rounded_ + padded * width_, uint16_t{0});
  }

  absl::Status ComputeBf16Scores(int64_t rows, float* scores) {
    // Consecutive products share a tile of atoms.
    const int64_t row_tiles = DivideUp(rows, Bf16Atoms::kTileRows);
    support::FirstError error;
    context_.pool.ParallelFor(row_tiles * bf16_->tiles(), 1, [&](int64_t at, int64_t, int) {
      const int64_t row = at % row_tiles * Bf16Atoms::kTileRows, tile = at / row_tiles;
      error.Update(
          bf16_->Multiply(rounded_ + row * width_, tile, scores + row * stride_ + tile * Bf16Atoms::kTileUnits));
    });
    return error.status();
  }

  void EncodeRow(int64_t row, const float* x, bool exact, int64_t i, float* scores, CodeFinder* finder,
                 float* scratch) const {
    int32_t* indices = args_.indices + row * args_.k;
    float* values = args_.values + row * args_.k;
    RowBound bound;
    bound.units = bf16_ != nullptr ? &bf16_->bounds() : &dictionary_.float_bounds();
    bound.residual_norm = bf16_ != nullptr ? rest_norms_[i] : 0;
    bound.norm = std::sqrt(context_.rows.squared_norm(x, width_)) * kLengthRoundUp;
    if (!exact && !CannotOverflow(bound.norm, dictionary_.largest_norm(), dictionary_.largest_bias())) {
      // Approximate scores say nothing here. The case is rare, so it may be slow.
      ExactScores(dictionary_, x, scores);
      exact = true;
    }
    if (exact) {
      largest_.top_k(scores, units_, args_.k, nullptr, scratch, indices, values);
      return;
    }
    for (int64_t unit = 0; unit < units_; ++unit) scores[unit] += dictionary_.bias[unit];
    std::fill(scores + units_, scores + stride_, -std::numeric_limits<float>::infinity());
    ScoreList list;
    list.scores = scores;
    list.size = units_;
    finder->Find(x, list, bound, args_.k, units_, indices, values);
  }

  support::Context& context_;
  const AffineTopKArgs& args_;
  const PreparedDictionary& dictionary_;
  const std::vector<int64_t>& rows_;
  const LargestKernels& largest_;
  const int64_t units_;
  const int64_t width_;
  const Bf16Atoms* const bf16_;  // null: binary32
  const int64_t stride_;
  const int64_t block_rows_;
  float* scores_ = nullptr;       // [rows of a block, stride_]
  float* gathered_ = nullptr;     // [rows of a block, width_]
  uint16_t* rounded_ = nullptr;   // [rows of a block, width_]
  double* rest_norms_ = nullptr;  // [rows of a block]: norm of the rounding residual
  float* rests_ = nullptr;        // [threads, width_]
};

}  // namespace

absl::Status FloatFilteredTopK(support::Context& context, const AffineTopKArgs& args, const std::vector<int64_t>& rows,
                               bool bf16) {
  return FloatCall(context, args, rows, bf16).Run();
}

}  // namespace kwta::onednn::codes
