#include "core/backends/reference/tied_training.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/status_macros.h"

namespace kwta {

void BringUpToDate(const TiedParameters& p, int64_t unit, float* atom, float* velocity) {
  const float* stored = p.atoms + unit * p.width;
  const float* stored_velocity = p.atom_velocity + unit * p.width;
  for (int64_t d = 0; d < p.width; ++d) {
    const float moving = stored_velocity[d];
    atom[d] = stored[d] + p.shift[unit] * moving;
    if (velocity != nullptr) velocity[d] = p.decay[unit] * moving;
  }
}

absl::Status EagerTiedStep(Backend& backend, const TiedStepArgs& args) {
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
  KWTA_RETURN_IF_ERROR(backend.SparseDecode({p.atoms, p.decoder_bias, args.indices, args.values, args.rows, args.k,
                                             p.width, args.x, residual, args.squared_error}));
  if (!std::isfinite(*args.squared_error)) return absl::OkStatus();

  std::vector<float> gradient_atoms(static_cast<size_t>(p.units * p.width));
  std::vector<float> gradient_bias(static_cast<size_t>(p.units));
  std::vector<float> gradient_decoder_bias(static_cast<size_t>(p.width));
  KWTA_RETURN_IF_ERROR(
      backend.SparseGradient({p.atoms, args.x, residual, args.indices, args.values, args.rows, args.k, p.units, p.width,
                              1.0f / static_cast<float>(args.rows), gradient_atoms.data(), gradient_bias.data(),
                              gradient_decoder_bias.data(), args.active_rows}));
  KWTA_RETURN_IF_ERROR(backend.MomentumUpdate({p.atoms, p.atom_velocity, gradient_atoms.data(), args.active_rows,
                                               p.units, p.width, args.rate, args.momentum, p.unit_norm}));
  KWTA_RETURN_IF_ERROR(backend.MomentumUpdate(
      {p.bias, p.bias_velocity, gradient_bias.data(), nullptr, 1, p.units, args.rate, args.momentum, false}));
  return backend.MomentumUpdate({p.decoder_bias, p.decoder_velocity, gradient_decoder_bias.data(), nullptr, 1, p.width,
                                 args.rate, args.momentum, false});
}

absl::Status EagerTiedAtoms(const TiedAtomsArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  for (int64_t unit = 0; unit < p.units; ++unit) {
    BringUpToDate(p, unit, args.atoms + unit * p.width,
                  args.atom_velocity != nullptr ? args.atom_velocity + unit * p.width : nullptr);
  }
  return absl::OkStatus();
}

}  // namespace kwta
