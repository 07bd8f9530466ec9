#include "core/backends/onednn/codes/code_finder.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kwta::onednn::codes {
namespace {

// Fewer units are summed exactly at once.
constexpr int64_t kWorthACloserLook = 4;

constexpr float kUnbounded = std::numeric_limits<float>::infinity();

// The largest float that is not above value.
float RoundedDown(double value) {
  const float rounded = static_cast<float>(value);
  return rounded > value ? std::nextafter(rounded, -kUnbounded) : rounded;
}

}  // namespace

void CodeFinder::ScoreExactly(const ScoreList& list, int64_t first, int64_t count) {
  for (int64_t i = first; i < count; ++i) units_[i] = list.unit(positions_[i]);
  row_.Score(dictionary_.atoms, dictionary_.bias, units_.get() + first, count - first, exact_.get() + first);
  exact_scores_ += count - first;
}

int64_t CodeFinder::CollectNear(const ScoreList& list, const RowBound& bound, double needed, int32_t* positions) const {
  if (list.units == nullptr) {
    const ScoreErrors errors = {RoundedUp(bound.norm), RoundedUp(bound.residual_norm), bound.units->norm_factor.data(),
                                bound.units->residual_factor.data(), bound.units->constant.data()};
    return kernels_.collect_within(list.scores, list.size, RoundedDown(needed), errors, positions);
  }
  const float least = RoundedDown(needed - bound.LargestError());
  const int64_t near = kernels_.collect(list.scores, PaddedScores(list.size), least, positions);
  int64_t count = 0;
  for (int64_t i = 0; i < near; ++i) {
    const int32_t position = positions[i];
    positions[count] = position;
    count += list.scores[position] + bound.Error(list.unit(position)) >= needed;
  }
  return count;
}

Outcome CodeFinder::Find(const float* x, const ScoreList& list, const RowBound& bound, int64_t k,
                         int64_t max_candidates, int32_t* indices, float* values) {
  const int64_t padded = PaddedScores(list.size);
  // Leaves room for the numbers that Collect writes beyond its result, and for padding.
  if (room_ < padded + kScorePadding) {
    room_ = padded + kScorePadding;
    positions_.reset(new int32_t[room_]);
    units_.reset(new int32_t[room_]);
    exact_.reset(new float[room_]);
  }
  row_.Prepare(x, dictionary_.width);

  // The k best approximate scores, or a few more if finding exactly k would take longer.
  const float best = kernels_.threshold(list.scores, padded, k, k + k / 32 + 1);
  int64_t count = kernels_.collect(list.scores, padded, best, positions_.get());
  if (count > max_candidates) return Outcome::kTooMany;
  ScoreExactly(list, 0, count);
  for (int64_t i = 0; i < count; ++i) list.scores[positions_[i]] = -kUnbounded;

  // The k-th largest exact score of these, or slightly less.
  std::fill(exact_.get() + count, exact_.get() + PaddedScores(count), -kUnbounded);
  const float floor = kernels_.threshold(exact_.get(), PaddedScores(count), k, k);
  const double needed = static_cast<double>(floor) - bound.offset;
  if (needed < list.limit) return Outcome::kTooShort;
  const int64_t first = count;
  count += CollectNear(list, bound, needed, positions_.get() + first);
  if (list.closer != nullptr && count - first >= kWorthACloserLook) {
    count = first + list.closer->Keep(list, needed, positions_.get() + first, count - first);
  }
  if (count > max_candidates) return Outcome::kTooMany;
  ScoreExactly(list, first, count);

  if (list.units != nullptr) {
    ChooseUnordered(count, k, indices, values);
    return Outcome::kCode;
  }
  ChooseOrdered(first, count, k, indices, values);
  return Outcome::kCode;
}

void CodeFinder::ChooseOrdered(int64_t second, int64_t count, int64_t k, int32_t* indices, float* values) {
  if (count == k) {
    std::copy_n(units_.get(), k, indices);
    std::copy_n(exact_.get(), k, values);
    return;
  }
  std::fill(exact_.get() + count, exact_.get() + PaddedScores(count), -kUnbounded);
  const float last = kernels_.threshold(exact_.get(), PaddedScores(count), k, k);
  int32_t* const reached = positions_.get();
  int64_t b = kernels_.collect(exact_.get(), PaddedScores(count), last, reached);
  int64_t a = std::lower_bound(reached, reached + b, second) - reached;
  // Merges both parts from the end. The lowest of the units tied at the k-th score win.
  const int64_t begin_b = a;
  for (int64_t place = k - 1, too_many = b - k; place >= 0;) {
    const bool from_b = b > begin_b && (a == 0 || units_[reached[b - 1]] > units_[reached[a - 1]]);
    const int32_t i = from_b ? reached[--b] : reached[--a];
    if (too_many > 0 && exact_[i] == last) {
      --too_many;
      continue;
    }
    indices[place] = units_[i];
    values[place--] = exact_[i];
  }
}

void CodeFinder::ChooseUnordered(int64_t count, int64_t k, int32_t* indices, float* values) {
  chosen_.resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) chosen_[i] = {units_[i], exact_[i]};
  // The lowest of the units tied at the k-th score win.
  const auto before = [](const auto& a, const auto& b) {
    return a.second > b.second || (a.second == b.second && a.first < b.first);
  };
  if (count > k) std::nth_element(chosen_.begin(), chosen_.begin() + k, chosen_.end(), before);
  std::sort(chosen_.begin(), chosen_.begin() + k);
  for (int64_t i = 0; i < k; ++i) {
    indices[i] = chosen_[i].first;
    values[i] = chosen_[i].second;
  }
}

}  // namespace kwta::onednn::codes
