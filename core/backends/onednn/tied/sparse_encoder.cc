#include "core/backends/onednn/tied/sparse_encoder.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "core/backends/onednn/support/flush_subnormals.h"

namespace kwta::onednn::tied {
namespace {

// Rows that pass over the packed atoms together, to share each block while it is in the innermost cache.
constexpr int64_t kProductRows = 25;
constexpr int64_t kEncoderGrainUnits = 16;

// Number of lower bounds of scores that a threshold may use: 16 of each whole block of units.
int64_t LowerBounds(int64_t units) { return units / kUnitBlock * 16 + std::min<int64_t>(units % kUnitBlock, 16); }

}  // namespace

SparseEncoder::SparseEncoder(const support::Context& context, const TiedParameters& parameters)
    : p_(parameters),
      kernels_(TiedKernelsFor(context.instruction_set)),
      product_(SparseProductKernelsFor(context.instruction_set)),
      dots_(SparseDotsFor(context.instruction_set)),
      largest_(codes::LargestKernelsFor(context.instruction_set)),
      atoms_(parameters, kernels_, product_.largest_weight),
      tile_stride_(p_.width / (kTileInputs * kTileClasses) + 1),
      all_units_(static_cast<size_t>(p_.units)),
      copies_(static_cast<size_t>(p_.units * p_.width)),
      wanted_(static_cast<size_t>(p_.units)),
      scratch_(static_cast<size_t>(context.pool.threads())) {
  std::iota(all_units_.begin(), all_units_.end(), 0);
}

bool SparseEncoder::MayTake(support::Context& context, const float* x, int64_t k) {
  // The k-th largest of the lower bounds is close to the k-th largest score only if few groups hold several of the
  // best.
  if (k * 2 > LowerBounds(p_.units)) return false;
  // The first row of most unsuitable batches already shows it.
  for (int64_t d = 0; d < p_.width; ++d) {
    if (x[d] + (p_.offset == nullptr ? 0 : p_.offset[d]) < 0) return false;
  }
  if (stale_) {
    context.pool.ParallelFor(p_.units, kEncoderGrainUnits, [&](int64_t begin, int64_t end, int) {
      for (int64_t unit = begin; unit < end; ++unit) atoms_.Update(unit);
    });
    stale_ = false;
  }
  for (int64_t unit = 0; unit < p_.units; ++unit) {
    if (!atoms_.usable(unit)) return false;
  }
  return true;
}

bool SparseEncoder::Prepare(support::Context& context, const float* x, int64_t rows, int64_t k) {
  if (rows == 0 || !MayTake(context, x, k)) return false;
  x_ = x;
  k_ = k;
  capacity_ = std::min(p_.units, 4 * k + 128);
  rows_.resize(static_cast<size_t>(rows));
  tiles_.resize(static_cast<size_t>(rows * kTileClasses * tile_stride_));
  candidates_.resize(static_cast<size_t>(rows * capacity_));
  counts_.resize(static_cast<size_t>(rows));
  unsuited_ = false;
  context.pool.ParallelFor(rows, kProductRows,
                           [&](int64_t begin, int64_t end, int thread) { ScoreRows(begin, end, &scratch_[thread]); });
  if (unsuited_) {
    for (std::atomic<bool>& wanted : wanted_) wanted = false;
    return false;
  }
  CopyPutOffAtoms(context);
  return true;
}

void SparseEncoder::ScoreRows(int64_t begin, int64_t end, Scratch* scratch) {
  const int64_t row_groups = atoms_.groups() + kGroupInputs;
  const int64_t row_upper = atoms_.blocks() * kUnitBlock;
  const int64_t row_bounds = atoms_.blocks() * 16;
  const int64_t row_lower = codes::PaddedScores(row_bounds);
  scratch->groups.resize(static_cast<size_t>(kProductRows * row_groups));
  scratch->upper.resize(static_cast<size_t>(kProductRows * row_upper));
  scratch->lower.resize(static_cast<size_t>(kProductRows * row_lower));
  for (int64_t i = begin; i < end; ++i) {
    if (unsuited_.load(std::memory_order_relaxed)) return;
    SparseRow& row = rows_[i];
    row = PrepareSparseRow(product_, x_ + i * p_.width, p_.offset, p_.width,
                           scratch->groups.data() + (i - begin) * row_groups,
                           tiles_.data() + i * kTileClasses * tile_stride_, tile_stride_);
    if (row.negative || !(row.largest < 0x1p40f)) {
      unsuited_ = true;
      return;
    }
  }
  for (int64_t block = 0; block < atoms_.blocks(); ++block) {
    for (int64_t i = begin; i < end; ++i) {
      product_.score_block(rows_[i], scratch->groups.data() + (i - begin) * row_groups, atoms_.packed(block),
                           atoms_.bounds(), block * kUnitBlock,
                           scratch->upper.data() + (i - begin) * row_upper + block * kUnitBlock,
                           scratch->lower.data() + (i - begin) * row_lower + block * 16);
    }
  }
  scratch->positions.resize(static_cast<size_t>(row_upper + 16));
  for (int64_t i = begin; i < end; ++i) {
    float* const lower = scratch->lower.data() + (i - begin) * row_lower;
    std::fill(lower + row_bounds, lower + row_lower, -std::numeric_limits<float>::infinity());
    const float threshold = largest_.threshold(lower, row_lower, k_, k_ + k_ / 16);
    int32_t* const found = scratch->positions.data();
    const int64_t count =
        largest_.collect(scratch->upper.data() + (i - begin) * row_upper, row_upper, threshold, found);
    const bool all = count > capacity_;
    counts_[i] = static_cast<int32_t>(all ? p_.units : count);
    if (!all) std::copy_n(found, count, candidates_.data() + i * capacity_);
    const int32_t* units = all ? all_units_.data() : found;
    for (int64_t c = 0; c < counts_[i]; ++c) wanted_[units[c]].store(true, std::memory_order_relaxed);
  }
}

void SparseEncoder::CopyPutOffAtoms(support::Context& context) {
  context.pool.ParallelFor(p_.units, kEncoderGrainUnits, [&](int64_t begin, int64_t end, int) {
    const support::FlushSubnormals flush;
    for (int64_t unit = begin; unit < end; ++unit) {
      if (!wanted_[unit].exchange(false, std::memory_order_relaxed) || IsUpToDate(p_, unit)) continue;
      const int64_t at = unit * p_.width;
      kernels_.advance(p_.atoms + at, p_.atom_velocity + at, p_.shift[unit], p_.decay[unit], p_.width,
                       copies_.data() + at, nullptr);
    }
  });
}

void SparseEncoder::Encode(int64_t row, int thread, int32_t* indices, float* values) {
  Scratch& scratch = scratch_[thread];
  const int64_t count = counts_[row];
  const bool all = count > capacity_;
  const int32_t* candidates = all ? all_units_.data() : candidates_.data() + row * capacity_;
  scratch.atoms.resize(static_cast<size_t>(count));
  const int64_t padded = codes::PaddedScores(count);
  scratch.scores.resize(static_cast<size_t>(padded));
  scratch.positions.resize(static_cast<size_t>(count + 16));
  for (int64_t c = 0; c < count; ++c) scratch.atoms[c] = atom(candidates[c]);
  dots_(x_ + row * p_.width, p_.width, tiles_.data() + row * kTileClasses * tile_stride_, tile_stride_,
        rows_[row].tiles, scratch.atoms.data(), count, scratch.scores.data());
  for (int64_t c = 0; c < count; ++c) scratch.scores[c] += p_.bias[candidates[c]];
  // Positions among the candidates stand for the units: both ascend.
  std::fill(scratch.scores.begin() + count, scratch.scores.end(), -std::numeric_limits<float>::infinity());
  const float last = largest_.threshold(scratch.scores.data(), padded, k_, k_);
  codes::KeepLargest(largest_, scratch.scores.data(), padded, last, k_, scratch.positions.data(), indices, values);
  for (int64_t j = 0; j < k_; ++j) indices[j] = candidates[indices[j]];
}

}  // namespace kwta::onednn::tied
