// Codes of rows: AffineTopK on a device.
#pragma once

#include <cstdint>

#include "core/backends/cuda/work.h"
#include "core/base/divide_up.h"

namespace kwta::cuda {

// How candidates are found before they are scored exactly.
enum class Filter {
  kAuto,  // kBf16 for dictionaries of kFilterUnits and more, if the device has products
  kBf16,  // products in bfloat16
  kNone,  // every score is exact
};
inline constexpr int64_t kFilterUnits = 2048;

// Atoms ready for products in bfloat16: see RoundRowsKernel.
struct RoundedAtoms {
  Global<uint16_t> rounded;  // [units, RoundedWidth(width)]; none: the filter is not used
  Global<float> lengths;     // [units]
};

// Elements of a row that is ready for products.
inline int64_t RoundedWidth(int64_t width) { return RoundUp(width, kProductAlignment); }

bool UsesFilter(Device& device, Filter filter, int64_t units);
void RoundAtoms(Work& work, Global<const float> atoms, int64_t units, int64_t width, const RoundedAtoms& out);

// What AffineTopKArgs says, of all units or of those listed.
struct CodesArgs {
  Global<const float> x, atoms, bias;
  int64_t rows = 0, units = 0, width = 0, k = 0;
  RoundedAtoms rounded;
  Global<const int32_t> unit_list, unit_count;  // or none; fewer than k listed: the rest of a code is -1 and 0
  Global<int32_t> indices;
  Global<float> values;
};
void FindCodes(Work& work, const CodesArgs& args);

}  // namespace kwta::cuda
