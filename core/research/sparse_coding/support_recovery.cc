#include "core/research/sparse_coding/support_recovery.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/research/sparse_coding/coherence.h"
#include "core/research/sparse_coding/iterative_thresholding.h"
#include "core/research/sparse_coding/orthogonal_matching_pursuit.h"

namespace kwta {
namespace {

absl::StatusOr<std::vector<float>> UnitLength(const Atoms& atoms) {
  std::vector<float> scaled(atoms.values, atoms.values + atoms.units * atoms.width);
  for (int64_t h = 0; h < atoms.units; ++h) {
    const double length = std::sqrt(Dot(atoms.atom(h), atoms.atom(h), atoms.width));
    if (length == 0) return absl::InvalidArgumentError(absl::StrCat("atom ", h, " is zero; it has no unit length"));
    for (int64_t d = 0; d < atoms.width; ++d) {
      scaled[h * atoms.width + d] = static_cast<float>(atoms.atom(h)[d] / length);
    }
  }
  return scaled;
}

struct PlantedCode {
  std::vector<int32_t> support;  // ascending
  std::vector<float> x;          // W z
};

PlantedCode Plant(const Atoms& atoms, const SupportRecoveryOptions& options, int64_t trial) {
  Rng rng(options.seed, trial);
  const std::vector<uint32_t> order = RandomPermutation(atoms.units, rng);
  PlantedCode code;
  std::vector<double> x(atoms.width);
  for (int64_t i = 0; i < options.k; ++i) {
    double z = 1;
    if (i > 0) z = options.smallest_to_largest;
    if (i > 1) z += (1 - options.smallest_to_largest) * rng.Uniform();
    const float* atom = atoms.atom(order[i]);
    for (int64_t d = 0; d < atoms.width; ++d) x[d] += z * atom[d];
    code.support.push_back(static_cast<int32_t>(order[i]));
  }
  std::sort(code.support.begin(), code.support.end());
  code.x.assign(x.begin(), x.end());
  return code;
}

}  // namespace

absl::StatusOr<SupportRecovery> MeasureSupportRecovery(const Atoms& atoms, const SupportRecoveryOptions& options,
                                                       ThreadPool& pool) {
  KWTA_RETURN_IF_ERROR(ValidateSparsity(atoms, options.k));
  if (!(options.smallest_to_largest > 0 && options.smallest_to_largest <= 1)) {
    return InvalidField("smallest_to_largest", options.smallest_to_largest, "above 0 and at most 1");
  }
  if (options.trials < 1) return InvalidField("trials", options.trials, "at least 1");
  KWTA_ASSIGN_OR_RETURN(const std::vector<float> scaled, UnitLength(atoms));
  const Atoms unit{scaled.data(), atoms.units, atoms.width};

  SupportRecovery result;
  result.coherence = MutualCoherence(unit, pool);
  result.condition_left = static_cast<double>(options.k) * result.coherence;
  // A code of one entry has z_k = z_1.
  result.condition_right = (options.k == 1 ? 1 : options.smallest_to_largest) / 2;
  result.condition_holds = result.condition_left <= result.condition_right;

  struct Found {
    bool one_step, iterative_thresholding, matching_pursuit;
  };
  std::vector<Found> found(options.trials);
  std::vector<absl::Status> statuses(options.trials);
  pool.ParallelFor(options.trials, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t trial = begin; trial < end; ++trial) {
      const PlantedCode code = Plant(unit, options, trial);
      IterativeThresholdingOptions thresholding;
      thresholding.k = options.k;
      MatchingPursuitOptions pursuit;
      pursuit.k = options.k;
      const auto iterated = IterativeThresholding(unit, code.x.data(), thresholding);
      const auto pursued = OrthogonalMatchingPursuit(unit, code.x.data(), pursuit);
      statuses[trial] = iterated.ok() ? pursued.status() : iterated.status();
      if (!statuses[trial].ok()) continue;
      found[trial] = {LargestEntries(Correlations(unit, code.x.data()), options.k, Largest::kSigned) == code.support,
                      iterated->support == code.support, pursued->support == code.support};
    }
  });
  for (const absl::Status& status : statuses) KWTA_RETURN_IF_ERROR(status);
  for (const Found& trial : found) {
    result.by_one_step += trial.one_step;
    result.by_iterative_thresholding += trial.iterative_thresholding;
    result.by_matching_pursuit += trial.matching_pursuit;
  }
  return result;
}

}  // namespace kwta
