#include "core/backends/onednn/affine_top_k.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/backends/fixed_order_dot.h"
#include "core/backends/onednn/candidates.h"
#include "core/backends/onednn/dnnl_gemm.h"
#include "core/backends/onednn/first_error.h"
#include "core/backends/reference/exact_top_k.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Covers the rounding of a binary64 sum of squares and of its root.
constexpr double kRoundUp = 1 + 0x1p-20;

// A product of one row with all atoms is bound by reading the atoms, so that exact scores cost no more than approximate
// ones; with more rows the matrix product reads each atom once for all of them.
constexpr int64_t kRowsComputedExactly = 1;

// Rows whose scores are held at once, and the tiles of the product that computes them: a tile's scores and its share of
// the atoms fit into a core's own cache together.
constexpr int64_t kMaxBlockRows = 256;
constexpr int64_t kTileRows = 128;
constexpr int64_t kTileUnits = 512;
constexpr int64_t kMaxScoreBytes = int64_t{16} << 20;

constexpr int64_t kGrainUnits = 64;
constexpr int64_t kGrainRows = 4;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// One call of AffineTopK.
class TopKCall {
 public:
  TopKCall(OnednnContext& context, const AffineTopKArgs& args)
      : context_(context),
        args_(args),
        dictionary_(static_cast<const OnednnDictionary&>(*args.dictionary)),
        units_(dictionary_.units),
        width_(dictionary_.width),
        block_rows_(std::clamp<int64_t>(kMaxScoreBytes / (units_ * static_cast<int64_t>(sizeof(float))), 1,
                                        std::min(kMaxBlockRows, args.rows))) {
    SetErrorTerms(width_, &bound_);
    bound_.atom_norms = dictionary_.atom_norms().data();
    bound_.bias = dictionary_.bias;
    bound_.largest_norm = dictionary_.largest_norm();
    bound_.largest_bias = dictionary_.largest_bias();
  }

  absl::Status Run() {
    // Scores of a block of rows, then for each thread candidates, their exact scores, and scratch for selection.
    const int64_t scores_size = DivideUp(block_rows_ * units_, 16) * 16;
    const int64_t thread_size = DivideUp(2 * units_, 16) * 16 + TopKScratchElements(units_);
    KWTA_ASSIGN_OR_RETURN(
        ScratchPool::Lease lease,
        context_.scratch.Take(static_cast<size_t>(scores_size + context_.pool.threads() * thread_size) *
                              sizeof(float)));
    float* scores = lease.as<float>();
    float* thread_scratch = scores + scores_size;
    const bool exact = args_.rows <= kRowsComputedExactly;
    for (int64_t begin = 0; begin < args_.rows; begin += block_rows_) {
      const int64_t rows = std::min(block_rows_, args_.rows - begin);
      if (exact) {
        ComputeExactScores(begin, rows, scores);
      } else {
        KWTA_RETURN_IF_ERROR(ComputeApproximateScores(begin, rows, scores));
      }
      context_.pool.ParallelFor(rows, kGrainRows, [&](int64_t first, int64_t last, int thread) {
        for (int64_t i = first; i < last; ++i) {
          SelectRow(begin + i, exact, scores + i * units_, thread_scratch + thread * thread_size);
        }
      });
    }
    return absl::OkStatus();
  }

 private:
  void ComputeExactScores(int64_t begin, int64_t rows, float* scores) {
    const float* x = args_.x + begin * width_;
    context_.pool.ParallelFor(rows * units_, kGrainUnits, [&](int64_t first, int64_t last, int) {
      for (int64_t at = first; at < last; ++at) {
        const int64_t unit = at % units_;
        scores[at] =
            FixedOrderDot(x + at / units_ * width_, dictionary_.atoms + unit * width_, width_) + dictionary_.bias[unit];
      }
    });
  }

  absl::Status ComputeApproximateScores(int64_t begin, int64_t rows, float* scores) {
    const int64_t row_tiles = DivideUp(rows, kTileRows);
    // At least a tile for each thread.
    const int64_t wanted = std::max(DivideUp(units_, kTileUnits), DivideUp(context_.pool.threads(), row_tiles));
    const int64_t tile_units = DivideUp(DivideUp(units_, wanted), 16) * 16;
    const int64_t unit_tiles = DivideUp(units_, tile_units);
    FirstError error;
    context_.pool.ParallelFor(row_tiles * unit_tiles, 1, [&](int64_t tile, int64_t, int) {
      const int64_t row = tile / unit_tiles * kTileRows;
      const int64_t unit = tile % unit_tiles * tile_units;
      DnnlGemmArgs gemm;
      gemm.a = args_.x + (begin + row) * width_;
      gemm.lda = width_;
      gemm.b = dictionary_.atoms + unit * width_;
      gemm.ldb = width_;
      gemm.transpose_b = true;
      gemm.c = scores + row * units_ + unit;
      gemm.ldc = units_;
      gemm.m = std::min(kTileRows, rows - row);
      gemm.n = std::min(tile_units, units_ - unit);
      gemm.k = width_;
      error.Update(DnnlGemm(gemm));
    });
    return error.status();
  }

  // scratch: 2 * units elements, then TopKScratchElements(units).
  void SelectRow(int64_t row, bool exact, float* scores, float* scratch) const {
    const float* x = args_.x + row * width_;
    int32_t* indices = args_.indices + row * args_.k;
    float* values = args_.values + row * args_.k;
    float* select_scratch = scratch + DivideUp(2 * units_, 16) * 16;
    ScoreBound bound = bound_;
    bound.x_norm = std::sqrt(context_.kernels.squared_norm(x, width_)) * kRoundUp;
    if (!exact && (width_ >= kWidthLimit || !CannotOverflow(bound))) {
      // Nothing is known about approximate scores here; rare, so it may be slow.
      ExactScores(dictionary_, x, scores);
      exact = true;
    }
    if (exact) {
      context_.select_top_k(scores, units_, args_.k, nullptr, select_scratch, indices, values);
      return;
    }
    for (int64_t unit = 0; unit < units_; ++unit) scores[unit] += dictionary_.bias[unit];
    int32_t* candidates = reinterpret_cast<int32_t*>(scratch);
    float* exact_scores = scratch + units_;
    const int64_t count = FindCandidates(context_.kernels, context_.select_top_k, scores, units_, args_.k, bound,
                                         select_scratch, indices, values, candidates);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t unit = candidates[i];
      exact_scores[i] = FixedOrderDot(x, dictionary_.atoms + unit * width_, width_) + dictionary_.bias[unit];
    }
    // Positions among the candidates stand for the units: both ascend.
    context_.select_top_k(exact_scores, count, args_.k, nullptr, select_scratch, indices, values);
    for (int64_t i = 0; i < args_.k; ++i) indices[i] = candidates[indices[i]];
  }

  // DotErrorFactor's.
  static constexpr int64_t kWidthLimit = int64_t{1} << 20;

  OnednnContext& context_;
  const AffineTopKArgs& args_;
  const OnednnDictionary& dictionary_;
  const int64_t units_;
  const int64_t width_;
  const int64_t block_rows_;
  ScoreBound bound_;  // without a row's norm
};

}  // namespace

void OnednnDictionary::Refresh(OnednnContext& context) {
  context.pool.ParallelFor(units, kGrainUnits, [&](int64_t begin, int64_t end, int) {
    for (int64_t unit = begin; unit < end; ++unit) {
      atom_norms_[unit] = std::sqrt(context.kernels.squared_norm(atoms + unit * width, width)) * kRoundUp;
    }
  });
  largest_norm_ = 0;
  largest_bias_ = 0;
  for (int64_t unit = 0; unit < units; ++unit) {
    largest_norm_ = std::isfinite(atom_norms_[unit]) ? std::max(largest_norm_, atom_norms_[unit]) : kInfinity;
    if (largest_norm_ == kInfinity) break;
  }
  for (int64_t unit = 0; unit < units; ++unit) {
    const double magnitude = std::abs(static_cast<double>(bias[unit]));
    largest_bias_ = std::isfinite(magnitude) ? std::max(largest_bias_, magnitude) : kInfinity;
    if (largest_bias_ == kInfinity) break;
  }
}

absl::Status OnednnAffineTopK(OnednnContext& context, const AffineTopKArgs& args) {
  if (args.rows == 0) return absl::OkStatus();
  return TopKCall(context, args).Run();
}

}  // namespace kwta
