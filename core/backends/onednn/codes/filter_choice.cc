#include "core/backends/onednn/codes/filter_choice.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "core/backends/onednn/codes/affine_top_k.h"
#include "core/backends/onednn/codes/bf16_atoms.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::codes {
namespace {

constexpr int64_t kMostWeights = int64_t{1} << 22;
constexpr int64_t kFewestWeights = int64_t{1} << 17;
// Measured rows per thread, enough for whole tiles of every filter.
constexpr int64_t kRowsOfAThread = 64;
constexpr int64_t kAtomsOfARow = 8;
constexpr int kRounds = 3;
// A filter must be this much faster than the first to replace it, because measurements vary.
constexpr double kClearly = 1.1;

struct Candidate {
  support::Filter filter;
  std::unique_ptr<PreparedDictionary> dictionary;
  double seconds = 0;
};

}  // namespace

absl::StatusOr<support::Filter> FastestFilter(support::Context& context, const float* atoms, const float* bias,
                                              int64_t units, int64_t width) {
  if (units * width < kFewestWeights) return support::Filter::kBytes;
  std::vector<support::Filter> filters = {support::Filter::kBytes, support::Filter::kFloats};
  // A lower instruction set than the processor's stands for a processor that has no more.
  const bool best_set = context.instruction_set == simd::InstructionSet::kAvx512Vnni;
  if (best_set && Bf16Atoms::Native()) filters.push_back(support::Filter::kBf16);
  const int64_t part = std::min(units, std::max<int64_t>(1, kMostWeights / width));
  std::vector<Candidate> candidates;
  for (support::Filter filter : filters) {
    candidates.push_back({filter, std::make_unique<PreparedDictionary>(atoms, bias, part, width)});
    candidates.back().dictionary->set_filter(filter);
    KWTA_RETURN_IF_ERROR(candidates.back().dictionary->Refresh(context));
    // Numbers that are not finite leave no choice.
    if (candidates.front().dictionary->quantised() == nullptr) return support::Filter::kBytes;
  }

  const int64_t rows = kRowsOfAThread * context.pool.threads();
  const int64_t k = std::clamp<int64_t>(part / 32, 1, 32);
  std::vector<float> x(static_cast<size_t>(rows * width));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t a = 0; a < kAtomsOfARow; ++a) {
      const float* atom = atoms + (i * 7919 + a * 104729) % part * width;
      for (int64_t d = 0; d < width; ++d) x[i * width + d] += atom[d];
    }
  }
  std::vector<int32_t> indices(static_cast<size_t>(rows * k));
  std::vector<float> values(static_cast<size_t>(rows * k));
  for (int round = 0; round < kRounds; ++round) {
    for (Candidate& candidate : candidates) {
      const auto start = std::chrono::steady_clock::now();
      KWTA_RETURN_IF_ERROR(
          AffineTopK(context, {candidate.dictionary.get(), x.data(), rows, k, indices.data(), values.data()}));
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      candidate.seconds = round == 0 ? seconds : std::min(candidate.seconds, seconds);
    }
  }
  const Candidate* best = &candidates.front();
  for (const Candidate& candidate : candidates) {
    const double wanted = best == &candidates.front() ? best->seconds / kClearly : best->seconds;
    if (candidate.seconds < wanted) best = &candidate;
  }
  return best->filter;
}

}  // namespace kwta::onednn::codes
