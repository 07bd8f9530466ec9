#include "core/backends/tied_composition.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/base/status_macros.h"

namespace kwta {
namespace {

// Computes the atom and velocity that the stored numbers stand for: [width] each. velocity may be null. Both may be the
// stored numbers themselves.
void BringUpToDate(const TiedParameters& p, int64_t unit, float* atom, float* velocity) {
  const float* stored = p.atoms + unit * p.width;
  const float* stored_velocity = p.atom_velocity + unit * p.width;
  for (int64_t d = 0; d < p.width; ++d) {
    const float moving = stored_velocity[d];
    atom[d] = stored[d] + p.shift[unit] * moving;
    if (velocity != nullptr) velocity[d] = p.decay[unit] * moving;
  }
}

// Copies of some atoms, brought up to date.
struct GatheredAtoms {
  std::vector<float> atoms, velocities, bias;
};

GatheredAtoms GatherAtoms(const TiedParameters& p, const std::vector<int32_t>& units) {
  GatheredAtoms gathered;
  gathered.atoms.resize(units.size() * static_cast<size_t>(p.width));
  gathered.velocities.resize(gathered.atoms.size());
  gathered.bias.resize(units.size());
  for (size_t j = 0; j < units.size(); ++j) {
    const size_t at = j * static_cast<size_t>(p.width);
    BringUpToDate(p, units[j], gathered.atoms.data() + at, gathered.velocities.data() + at);
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

std::vector<int32_t> DeadUnits(const TiedAuxiliaryStepArgs& args) {
  std::vector<int32_t> dead;
  for (int64_t unit = 0; unit < args.dictionary->parameters.units; ++unit) {
    if (args.idle_rows[unit] >= args.dead_after_rows) dead.push_back(static_cast<int32_t>(unit));
  }
  return dead;
}

}  // namespace

absl::Status ComposeTiedStep(HostBackend& backend, const TiedStepArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  for (int64_t unit = 0; unit < p.units; ++unit) {
    if (p.shift[unit] == 0 && p.decay[unit] == 1) continue;
    BringUpToDate(p, unit, p.atoms + unit * p.width, p.atom_velocity + unit * p.width);
    p.shift[unit] = 0;
    p.decay[unit] = 1;
  }
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<Dictionary> dictionary,
                        backend.PrepareDictionary(p.atoms, p.bias, p.units, p.width));
  KWTA_RETURN_IF_ERROR(backend.AffineTopK({dictionary.get(), args.x, args.rows, args.k, args.indices, args.values}));
  std::vector<float> own_residual(args.residual == nullptr ? static_cast<size_t>(args.rows * p.width) : 0);
  float* residual = args.residual == nullptr ? own_residual.data() : args.residual;
  KWTA_RETURN_IF_ERROR(backend.SparseResidual(
      {{p.atoms, p.decoder_bias, args.indices, args.values, args.rows, args.k, p.width, residual},
       args.x,
       args.squared_error}));
  if (!std::isfinite(*args.squared_error)) return absl::OkStatus();

  std::vector<float> gradient_atoms(static_cast<size_t>(p.units * p.width));
  std::vector<float> gradient_bias(static_cast<size_t>(p.units));
  std::vector<float> gradient_decoder_bias(static_cast<size_t>(p.width));
  std::vector<int32_t> active_rows(static_cast<size_t>(p.units));
  KWTA_RETURN_IF_ERROR(
      backend.SparseGradient({p.atoms, args.x, residual, args.indices, args.values, args.rows, args.k, p.units, p.width,
                              1.0f / static_cast<float>(args.rows), gradient_atoms.data(), gradient_bias.data(),
                              gradient_decoder_bias.data(), active_rows.data()}));
  for (int64_t unit = 0; unit < p.units; ++unit) CountActiveRows(args, unit, active_rows[unit]);
  KWTA_RETURN_IF_ERROR(backend.MomentumUpdate({p.atoms, p.atom_velocity, gradient_atoms.data(), active_rows.data(),
                                               p.units, p.width, args.rate, args.momentum, p.unit_norm}));
  KWTA_RETURN_IF_ERROR(backend.MomentumUpdate(
      {p.bias, p.bias_velocity, gradient_bias.data(), nullptr, 1, p.units, args.rate, args.momentum, false}));
  return backend.MomentumUpdate({p.decoder_bias, p.decoder_velocity, gradient_decoder_bias.data(), nullptr, 1, p.width,
                                 args.rate, args.momentum, false});
}

absl::StatusOr<std::vector<int32_t>> ComposeTiedAuxiliaryStep(HostBackend& backend, const TiedAuxiliaryStepArgs& args,
                                                              const PrepareAtoms& prepare) {
  const TiedParameters& p = args.dictionary->parameters;
  std::vector<int32_t> units = DeadUnits(args);
  *args.squared_error = 0;
  if (units.empty()) return units;
  const auto count = static_cast<int64_t>(units.size());
  const int64_t k = std::min(args.k, count);
  GatheredAtoms gathered = GatherAtoms(p, units);
  std::vector<int32_t> indices(static_cast<size_t>(args.rows * k));
  std::vector<float> values(indices.size());
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<Dictionary> dictionary,
                        prepare(gathered.atoms.data(), gathered.bias.data(), count, p.width));
  KWTA_RETURN_IF_ERROR(backend.AffineTopK({dictionary.get(), args.x, args.rows, k, indices.data(), values.data()}));
  // The target of the reconstruction is minus the residual.
  std::vector<float> target(static_cast<size_t>(args.rows * p.width));
  std::transform(args.residual, args.residual + target.size(), target.begin(), std::negate<>());
  std::vector<float> error(target.size());
  KWTA_RETURN_IF_ERROR(backend.SparseResidual(
      {{gathered.atoms.data(), nullptr, indices.data(), values.data(), args.rows, k, p.width, error.data()},
       target.data(),
       args.squared_error}));
  if (!std::isfinite(*args.squared_error)) return units;

  std::vector<float> gradient_atoms(gathered.atoms.size());
  std::vector<float> gradient_bias(gathered.bias.size());
  std::vector<float> not_asked_for(static_cast<size_t>(p.width));
  std::vector<int32_t> active_rows(gathered.bias.size());
  KWTA_RETURN_IF_ERROR(
      backend.SparseGradient({gathered.atoms.data(), args.x, error.data(), indices.data(), values.data(), args.rows, k,
                              count, p.width, args.weight / static_cast<float>(args.rows), gradient_atoms.data(),
                              gradient_bias.data(), not_asked_for.data(), active_rows.data()}));
  for (int64_t j = 0; j < count; ++j) {
    if (active_rows[j] == 0) continue;
    const int64_t unit = units[j];
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
  return units;
}

void ComposeTiedAtoms(const TiedAtomsArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  for (int64_t unit = 0; unit < p.units; ++unit) {
    BringUpToDate(p, unit, args.atoms + unit * p.width,
                  args.atom_velocity != nullptr ? args.atom_velocity + unit * p.width : nullptr);
  }
}

}  // namespace kwta
