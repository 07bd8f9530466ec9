#include "core/backends/tied_auxiliary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/backends/reference/tied_training.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

// Copies of the atoms named, brought up to date.
struct GatheredAtoms {
  std::vector<float> atoms, velocities, bias;
};

GatheredAtoms Gather(const TiedParameters& p, const int32_t* units, int64_t count) {
  GatheredAtoms gathered;
  gathered.atoms.resize(static_cast<size_t>(count * p.width));
  gathered.velocities.resize(gathered.atoms.size());
  gathered.bias.resize(static_cast<size_t>(count));
  for (int64_t j = 0; j < count; ++j) {
    BringUpToDate(p, units[j], gathered.atoms.data() + j * p.width, gathered.velocities.data() + j * p.width);
    gathered.bias[j] = p.bias[units[j]];
  }
  return gathered;
}

void ScaleToUnitLength(float* atom, int64_t width) {
  double squared = 0;
  for (int64_t d = 0; d < width; ++d) squared += double{atom[d]} * atom[d];
  if (squared == 0) return;
  const double factor = 1 / std::sqrt(squared);
  for (int64_t d = 0; d < width; ++d) atom[d] = static_cast<float>(atom[d] * factor);
}

}  // namespace

absl::Status StepAuxiliaryAtoms(Backend& backend, const TiedAuxiliaryStepArgs& args, const PrepareAtoms& prepare) {
  const TiedParameters& p = args.dictionary->parameters;
  GatheredAtoms gathered = Gather(p, args.units, args.count);
  std::vector<int32_t> indices(static_cast<size_t>(args.rows * args.k));
  std::vector<float> values(indices.size());
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<Dictionary> dictionary,
                        prepare(gathered.atoms.data(), gathered.bias.data(), args.count, p.width));
  KWTA_RETURN_IF_ERROR(
      backend.AffineTopK({dictionary.get(), args.x, args.rows, args.k, indices.data(), values.data()}));
  // What is to be reconstructed is minus the residual.
  std::vector<float> target(static_cast<size_t>(args.rows * p.width));
  std::transform(args.residual, args.residual + target.size(), target.begin(), std::negate<>());
  std::vector<float> error(target.size());
  KWTA_RETURN_IF_ERROR(backend.SparseDecode({gathered.atoms.data(), nullptr, indices.data(), values.data(), args.rows,
                                             args.k, p.width, target.data(), error.data(), args.squared_error}));
  if (!std::isfinite(*args.squared_error)) return absl::OkStatus();

  std::vector<float> gradient_atoms(gathered.atoms.size());
  std::vector<float> gradient_bias(gathered.bias.size());
  std::vector<float> not_asked_for(static_cast<size_t>(p.width));
  std::vector<int32_t> active_rows(gathered.bias.size());
  KWTA_RETURN_IF_ERROR(
      backend.SparseGradient({gathered.atoms.data(), args.x, error.data(), indices.data(), values.data(), args.rows,
                              args.k, args.count, p.width, args.weight / static_cast<float>(args.rows),
                              gradient_atoms.data(), gradient_bias.data(), not_asked_for.data(), active_rows.data()}));
  for (int64_t j = 0; j < args.count; ++j) {
    if (active_rows[j] == 0) continue;
    const int64_t unit = args.units[j];
    float* atom = p.atoms + unit * p.width;
    for (int64_t d = 0; d < p.width; ++d) {
      const float step = args.rate * gradient_atoms[j * p.width + d];
      atom[d] = gathered.atoms[j * p.width + d] - step;
      p.atom_velocity[unit * p.width + d] = gathered.velocities[j * p.width + d] - step;
    }
    p.shift[unit] = 0;
    p.decay[unit] = 1;
    if (p.unit_norm) ScaleToUnitLength(atom, p.width);
    p.bias[unit] -= args.rate * gradient_bias[j];
    p.bias_velocity[unit] -= args.rate * gradient_bias[j];
  }
  return absl::OkStatus();
}

absl::Status Backend::TiedAuxiliaryStep(const TiedAuxiliaryStepArgs& args) {
  KWTA_RETURN_IF_ERROR(
      StepAuxiliaryAtoms(*this, args, [this](const float* atoms, const float* bias, int64_t units, int64_t width) {
        return PrepareDictionary(atoms, bias, units, width);
      }));
  return RefreshTiedDictionary(*args.dictionary);
}

}  // namespace kwta
