#include "core/backends/onednn/codes/byte_rows.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/simd/fixed_order_dot.h"

namespace kwta {

ByteRows::ByteRows(const OnednnContext& context, const AffineTopKArgs& args, float* converted)
    : args_(args),
      dictionary_(static_cast<const OnednnDictionary&>(*args.dictionary)),
      atoms_(*dictionary_.quantised()),
      width_(dictionary_.width),
      max_candidates_(std::min(dictionary_.units, args.k + std::max<int64_t>(args.k, 64 + dictionary_.units / 4))),
      selector_(context.instruction_set, dictionary_),
      converted_(converted) {}

void ByteRows::Quantise(int64_t row, uint8_t* bytes, QuantisedRow* quantised) const {
  const ByteKernels& kernels = atoms_.kernels();
  if (args_.x != nullptr) {
    *quantised = kernels.quantise(args_.x + row * width_, width_, bytes);
    return;
  }
  std::memcpy(bytes, args_.bytes + row * width_, static_cast<size_t>(width_));
  std::memset(bytes + width_, 0, static_cast<size_t>(PaddedWidth(width_) - width_));
  *quantised = QuantisedRow();
  quantised->scale = 1 / args_.divisor;
  quantised->norm = std::sqrt(static_cast<double>(kernels.byte_norm(bytes, width_))) /
                    static_cast<double>(args_.divisor) * (1 + 0x1p-20);
  // Both the quotient and the scale are rounded.
  quantised->residual_norm = quantised->norm * 0x1p-22;
}

RowBound ByteRows::Bound(const QuantisedRow& row) const {
  RowBound bound;
  bound.units = &atoms_.bounds();
  bound.norm = row.norm;
  bound.residual_norm = row.residual_norm;
  return bound;
}

Selected ByteRows::Select(int64_t row, const QuantisedRow& quantised, const ScoreList& list) {
  if (!CannotOverflow(quantised.norm, dictionary_.largest_norm(), dictionary_.largest_bias())) {
    return Selected::kTooMany;
  }
  const float* x = args_.x + row * width_;
  if (args_.x == nullptr) {
    atoms_.kernels().bytes_to_floats(args_.bytes + row * width_, width_, args_.divisor, converted_);
    x = converted_;
  }
  RowBound bound = Bound(quantised);
  if (atoms_.mean() != nullptr) bound.offset = FixedOrderDot(x, atoms_.mean(), width_);
  return selector_.Select(x, list, bound, args_.k, max_candidates_, args_.indices + row * args_.k,
                          args_.values + row * args_.k);
}

}  // namespace kwta
