#include "core/backends/reference/active_gradient.h"

#include <algorithm>
#include <vector>

namespace kwta {

void ReferenceActiveGradient(const ActiveGradientArgs& args) {
  const int64_t width = args.width;
  std::fill_n(args.active_rows, args.units, 0);
  std::vector<double> atoms(static_cast<size_t>(args.units * width)), bias(static_cast<size_t>(args.units));
  for (int64_t i = 0; i < args.rows; ++i) {
    for (int64_t e = i * args.k; e < (i + 1) * args.k; ++e) {
      const int64_t unit = args.indices[e];
      const double dz = args.dz[e];
      ++args.active_rows[unit];
      bias[unit] += dz;
      if (args.x != nullptr) {
        for (int64_t d = 0; d < width; ++d) atoms[unit * width + d] += dz * args.x[i * width + d];
        continue;
      }
      for (int64_t q = i * args.x_k; q < (i + 1) * args.x_k; ++q) {
        atoms[unit * width + args.x_indices[q]] += dz * args.x_values[q];
      }
    }
  }
  for (int64_t unit = 0; unit < args.units; ++unit) {
    args.gradient_bias[unit] = static_cast<float>(bias[unit]);
    if (args.active_rows[unit] == 0) continue;
    for (int64_t d = unit * width; d < (unit + 1) * width; ++d) {
      const double decay = args.decay != 0 ? static_cast<double>(args.decay) * args.atoms[d] : 0;
      args.gradient_atoms[d] = static_cast<float>(decay + atoms[d]);
    }
  }
}

}  // namespace kwta
