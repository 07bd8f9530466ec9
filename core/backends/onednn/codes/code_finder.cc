#include "core/backends/onednn/codes/code_finder.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kwta::onednn::codes {
namespace {

constexpr float kUnbounded = std::numeric_limits<float>::infinity();

// The largest float that is not above value.
float RoundedDown(double value) {
  const float rounded = static_cast<float>(value);
  return rounded > value ? std::nextafter(rounded, -kUnbounded) : rounded;
}

}  // namespace

void CodeFinder::ReservePositions(int64_t n) {
  if (collected_room_ >= n + kScorePadding) return;
  collected_room_ = n + kScorePadding;
  collected_.reset(new int32_t[collected_room_]);
}

void CodeFinder::ScoreExactly(int64_t first, CodeSearch* search) {
  search->row.Score(dictionary_.atoms, dictionary_.bias, search->units + first, search->count - first,
                    search->exact + first);
  exact_scores_ += search->count - first;
}

Outcome CodeFinder::Find(const float* x, const ScoreList& list, const RowBound& bound, int64_t k,
                         int64_t max_candidates, int32_t* indices, float* values) {
  const int64_t needed = CodeSearch::Room(std::min(list.size, max_candidates));
  if (room_ < needed) {
    room_ = needed;
    positions_.reset(new int32_t[room_]);
    units_.reset(new int32_t[room_]);
    exact_.reset(new float[room_]);
    search_.positions = positions_.get();
    search_.units = units_.get();
    search_.exact = exact_.get();
  }
  Outcome outcome = Start(x, list, k, max_candidates, &search_);
  if (outcome != Outcome::kCode) return outcome;
  ScoreExactly(0, &search_);
  const int64_t first = search_.count;
  outcome = Extend(list, bound, k, max_candidates, &search_);
  if (outcome != Outcome::kCode) return outcome;
  ScoreExactly(first, &search_);
  Finish(list, k, &search_, indices, values);
  return Outcome::kCode;
}

Outcome CodeFinder::Start(const float* x, const ScoreList& list, int64_t k, int64_t max_candidates,
                          CodeSearch* search) {
  const int64_t padded = PaddedScores(list.size);
  ReservePositions(padded);
  search->row.Prepare(x, dictionary_.width);
  // The k best approximate scores, or a few more if finding exactly k would take longer.
  const float best = kernels_.threshold(list.scores, padded, k, k + k / 8 + 1);
  search->count = 0;
  return Append(list, kernels_.collect(list.scores, padded, best, collected_.get()), max_candidates, search);
}

Outcome CodeFinder::Append(const ScoreList& list, int64_t added, int64_t max_candidates, CodeSearch* search) const {
  if (search->count + added > max_candidates) return Outcome::kTooMany;
  std::copy_n(collected_.get(), added, search->positions + search->count);
  for (int64_t i = 0; i < added; ++i) search->units[search->count + i] = list.unit(collected_[i]);
  search->count += added;
  return Outcome::kCode;
}

Outcome CodeFinder::Extend(const ScoreList& list, const RowBound& bound, int64_t k, int64_t max_candidates,
                           CodeSearch* search) {
  const int64_t padded = PaddedScores(list.size);
  const int64_t first = search->count;
  for (int64_t i = 0; i < first; ++i) list.scores[search->positions[i]] = -kUnbounded;
  // The k-th largest exact score of these, or slightly less.
  std::fill(search->exact + first, search->exact + PaddedScores(first), -kUnbounded);
  const float floor = kernels_.threshold(search->exact, PaddedScores(first), k, k + k / 16 + 1);
  const double needed = static_cast<double>(floor) - bound.offset;
  if (needed < list.limit) return Outcome::kTooShort;
  const float least = RoundedDown(needed - bound.LargestError());
  const int64_t near = kernels_.collect(list.scores, padded, least, collected_.get());
  int64_t added = 0;
  for (int64_t i = 0; i < near; ++i) {  // a branch would often be mispredicted
    const int32_t position = collected_[i];
    collected_[added] = position;
    added += list.scores[position] + bound.Error(list.unit(position)) >= needed;
  }
  return Append(list, added, max_candidates, search);
}

void CodeFinder::Finish(const ScoreList& list, int64_t k, CodeSearch* search, int32_t* indices, float* values) {
  const int64_t count = search->count;
  if (list.units != nullptr) return ChooseUnordered(k, *search, indices, values);
  if (count == k) {
    std::copy_n(search->units, k, indices);
    std::copy_n(search->exact, k, values);
    return;
  }
  const int64_t padded = PaddedScores(list.size);
  // Exact scores go to their places in the list, so that they come out in order.
  std::fill(search->exact + count, search->exact + PaddedScores(count), -kUnbounded);
  const float last = kernels_.threshold(search->exact, PaddedScores(count), k, k);
  std::fill_n(list.scores, padded, -kUnbounded);
  for (int64_t i = 0; i < count; ++i) list.scores[search->positions[i]] = search->exact[i];
  KeepLargest(kernels_, list.scores, padded, last, k, collected_.get(), indices, values);
}

void CodeFinder::ChooseUnordered(int64_t k, const CodeSearch& search, int32_t* indices, float* values) {
  const int64_t count = search.count;
  chosen_.resize(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) chosen_[i] = {search.units[i], search.exact[i]};
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
