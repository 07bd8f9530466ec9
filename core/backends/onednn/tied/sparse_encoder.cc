#include "core/backends/onednn/tied/sparse_encoder.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "core/backends/onednn/support/flush_subnormals.h"

namespace kwta::onednn::tied {
namespace {

// Rows that pass over the packed atoms together, to share each block while it is in the innermost cache.
constexpr int64_t kProductRows = 25;
constexpr int64_t kEncoderGrainUnits = 16;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Candidates are scored first if their upper bounds exceed the threshold by this part of the distance between bounds.
constexpr float kLikely = 0.55f;

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
      copies_(static_cast<size_t>(p_.units * p_.width)),
      copied_(static_cast<size_t>(p_.units)),
      scratch_(static_cast<size_t>(context.pool.threads())) {}

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
  rows_.resize(static_cast<size_t>(rows));
  tiles_.resize(static_cast<size_t>(rows * kTileClasses * tile_stride_));
  candidates_.resize(static_cast<size_t>(rows));
  for (Scratch& scratch : scratch_) scratch.kept = 0;
  unsuited_ = false;
  context.pool.ParallelFor(rows, kProductRows,
                           [&](int64_t begin, int64_t end, int thread) { ScoreRows(begin, end, thread); });
  ++batch_;
  return !unsuited_;
}

void SparseEncoder::ScoreRows(int64_t begin, int64_t end, int thread) {
  Scratch* const scratch = &scratch_[thread];
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
    std::fill(lower + row_bounds, lower + row_lower, -kInfinity);
    const float threshold = largest_.threshold(lower, row_lower, k_, k_ + k_ / 16);
    KeepCandidates(i, scratch->upper.data() + (i - begin) * row_upper, threshold, thread);
  }
}

void SparseEncoder::KeepCandidates(int64_t row, const float* upper, float threshold, int thread) {
  Scratch& scratch = scratch_[thread];
  int32_t* const found = scratch.positions.data();
  const int64_t count = largest_.collect(upper, atoms_.blocks() * kUnitBlock, threshold, found);
  const int64_t padded = codes::PaddedScores(count);
  const size_t first = scratch.kept;
  scratch.kept += static_cast<size_t>(padded);
  if (scratch.kept > scratch.kept_upper.size()) {
    scratch.kept_units.resize(2 * scratch.kept);
    scratch.kept_upper.resize(2 * scratch.kept);
  }
  candidates_[row] = {thread, first, count, threshold};
  int32_t* const units = scratch.kept_units.data() + first;
  float* const bounds = scratch.kept_upper.data() + first;
  for (int64_t c = 0; c < count; ++c) {
    units[c] = found[c];
    bounds[c] = upper[found[c]];
  }
  std::fill(bounds + count, bounds + padded, -kInfinity);
}

const float* SparseEncoder::CopyOf(int64_t unit) {
  const uint64_t making = 2 * batch_, made = making + 1;
  std::atomic<uint64_t>& state = copied_[unit];
  float* const copy = copies_.data() + unit * p_.width;
  uint64_t seen = state.load(std::memory_order_acquire);
  if (seen < making && state.compare_exchange_strong(seen, making, std::memory_order_acquire)) {
    const support::FlushSubnormals flush;
    const int64_t at = unit * p_.width;
    kernels_.advance(p_.atoms + at, p_.atom_velocity + at, p_.shift[unit], p_.decay[unit], p_.width, copy, nullptr);
    state.store(made, std::memory_order_release);
    return copy;
  }
  // Another thread makes it, which takes a fraction of a microsecond.
  for (; seen != made; seen = state.load(std::memory_order_acquire)) std::this_thread::yield();
  return copy;
}

void SparseEncoder::Encode(int64_t row, int thread, int32_t* indices, float* values) {
  Scratch& scratch = scratch_[thread];
  const int64_t count = candidates_[row].count;
  const int64_t padded = codes::PaddedScores(count);
  // Positions among the candidates stand for the units: both ascend.
  scratch.scores.assign(static_cast<size_t>(padded), -kInfinity);
  scratch.positions.resize(static_cast<size_t>(count + 16));
  scratch.others.resize(static_cast<size_t>(count + 16));
  scratch.atoms.resize(static_cast<size_t>(count));
  scratch.exact.resize(static_cast<size_t>(padded));
  const float last = ScoreCandidates(row, &scratch);
  codes::KeepLargest(largest_, scratch.scores.data(), padded, last, k_, scratch.positions.data(), indices, values);
  const int32_t* const units = UnitsOf(candidates_[row]);
  for (int64_t j = 0; j < k_; ++j) indices[j] = units[indices[j]];
}

float SparseEncoder::ScoreCandidates(int64_t row, Scratch* scratch) {
  const Candidates& candidates = candidates_[row];
  const int64_t count = candidates.count;
  const int64_t padded = codes::PaddedScores(count);
  const int32_t* const units = UnitsOf(candidates);
  const float* const upper = UpperBoundsOf(candidates);
  // The threshold is about the k-th largest lower bound, and the k-th largest score about half of the distance between
  // bounds above it: the average of a few units' is close enough.
  constexpr int64_t kSamples = 4;
  float gap = 0;
  for (int64_t s = 0; s < kSamples; ++s) gap += atoms_.gap(rows_[row], units[count * s / kSamples]);
  const float likely = candidates.threshold + gap * (kLikely / kSamples);
  int32_t* const positions = scratch->positions.data();
  const int64_t first = largest_.collect(upper, padded, likely, positions);
  if (first < k_) return Score(row, largest_.collect(upper, padded, candidates.threshold, positions), scratch);
  const float reached = Score(row, first, scratch);
  if (reached >= likely) return reached;
  // Exact scores make a higher threshold than lower bounds, which few others reach.
  int32_t* const others = scratch->others.data();
  const int64_t reaching = largest_.collect(upper, padded, reached, others);
  int64_t left = 0;
  for (int64_t o = 0; o < reaching; ++o) {
    positions[left] = others[o];
    left += upper[others[o]] < likely ? 1 : 0;
  }
  if (left == 0) return reached;
  Score(row, left, scratch);
  return largest_.threshold(scratch->scores.data(), padded, k_, k_);
}

float SparseEncoder::Score(int64_t row, int64_t count, Scratch* scratch) {
  const int32_t* const units = UnitsOf(candidates_[row]);
  const int32_t* const positions = scratch->positions.data();
  for (int64_t c = 0; c < count; ++c) {
    const int32_t unit = units[positions[c]];
    scratch->atoms[c] = IsUpToDate(p_, unit) ? p_.atoms + unit * p_.width : CopyOf(unit);
  }
  float* const exact = scratch->exact.data();
  dots_(x_ + row * p_.width, p_.width, tiles_.data() + row * kTileClasses * tile_stride_, tile_stride_,
        rows_[row].tiles, scratch->atoms.data(), count, exact);
  float* const scores = scratch->scores.data();
  for (int64_t c = 0; c < count; ++c) {
    exact[c] += p_.bias[units[positions[c]]];
    scores[positions[c]] = exact[c];
  }
  if (count < k_) return -kInfinity;
  const int64_t padded = codes::PaddedScores(count);
  std::fill(exact + count, exact + padded, -kInfinity);
  return largest_.threshold(exact, padded, k_, k_);
}

}  // namespace kwta::onednn::tied
