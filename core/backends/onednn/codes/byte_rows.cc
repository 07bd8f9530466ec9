#include "core/backends/onednn/codes/byte_rows.h"

#include <cmath>
#include <cstring>

#include "core/simd/byte_values.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::codes {

ByteRows::Memory::Memory(int64_t block_rows, int64_t width, support::Arena& arena)
    : bytes(arena.Take<uint8_t>(block_rows * PaddedWidth(width))),
      rows(arena.Take<QuantisedRow>(block_rows)),
      tiles(arena.Take<char>(RowTiles::MemoryBytes(block_rows, width))),
      converted(arena.Take<float>(width)) {}

ByteRows::ByteRows(const support::Context& context, const AffineTopKArgs& args, const Memory& memory)
    : args_(args),
      dictionary_(static_cast<const PreparedDictionary&>(*args.dictionary)),
      atoms_(*dictionary_.quantised()),
      width_(dictionary_.width),
      max_candidates_(std::min(dictionary_.units, args.k + std::max<int64_t>(args.k, 64 + dictionary_.units / 4))),
      memory_(memory),
      finder_(context.instruction_set, dictionary_) {}

void ByteRows::Quantise(int64_t row, int64_t i) {
  const ByteKernels& kernels = atoms_.kernels();
  uint8_t* const bytes = memory_.bytes + i * PaddedWidth(width_);
  QuantisedRow& quantised = memory_.rows[i];
  if (args_.x != nullptr) {
    quantised = kernels.quantise(args_.x + row * width_, width_, bytes);
    return;
  }
  std::memcpy(bytes, args_.bytes + row * width_, static_cast<size_t>(width_));
  std::memset(bytes + width_, 0, static_cast<size_t>(PaddedWidth(width_) - width_));
  quantised = QuantisedRow();
  quantised.scale = 1 / args_.divisor;
  quantised.norm = std::sqrt(static_cast<double>(kernels.byte_norm(bytes, width_))) /
                   static_cast<double>(args_.divisor) * (1 + 0x1p-20);
  // Both the quotient and the scale are rounded.
  quantised.residual_norm = quantised.norm * 0x1p-22;
}

RowTiles ByteRows::Tiles(int64_t count) const {
  RowTiles tiles;
  tiles.Build(atoms_.kernels(), memory_.bytes, memory_.rows, count, width_, atoms_.step_quads(), memory_.tiles);
  return tiles;
}

RowBound ByteRows::Bound(int64_t i) const {
  RowBound bound;
  bound.units = &atoms_.bounds();
  bound.norm = memory_.rows[i].norm;
  bound.residual_norm = memory_.rows[i].residual_norm;
  return bound;
}

// Adds the second layer of bytes to the scores of a row.
class ByteRows::FineScores final : public CloserScores {
 public:
  FineScores(ByteRows& rows, int64_t i) : rows_(rows), i_(i), fine_(*rows.atoms_.fine()), bound_(rows.Bound(i)) {
    bound_.units = &fine_.bounds;
  }

  int64_t Keep(const ScoreList& list, double needed, int32_t* positions, int64_t count) override {
    std::vector<int32_t>& units = rows_.near_units_;
    std::vector<int32_t>& sums = rows_.fine_sums_;
    units.resize(static_cast<size_t>(count));
    sums.resize(static_cast<size_t>(count));
    for (int64_t n = 0; n < count; ++n) units[n] = list.unit(positions[n]);
    const int64_t padded = PaddedWidth(rows_.width_);
    rows_.atoms_.kernels().row_products(rows_.memory_.bytes + i_ * padded, padded, fine_.bytes, units.data(), count,
                                        sums.data());
    const QuantisedRow& row = rows_.memory_.rows[i_];
    int64_t kept = 0;
    for (int64_t n = 0; n < count; ++n) {
      const int32_t unit = units[n];
      const int64_t sum = sums[n] - int64_t{row.zero_point} * fine_.sums[unit];
      const double score =
          list.scores[positions[n]] + static_cast<double>(sum) * static_cast<double>(row.scale) * fine_.scales[unit];
      positions[kept] = positions[n];
      kept += score + bound_.Error(unit) >= needed ? 1 : 0;
    }
    return kept;
  }

 private:
  ByteRows& rows_;
  const int64_t i_;
  const FineAtoms& fine_;
  RowBound bound_;
};

Outcome ByteRows::Find(int64_t row, int64_t i, ScoreList list) {
  if (!CannotOverflow(memory_.rows[i].norm, dictionary_.largest_norm(), dictionary_.largest_bias())) {
    return Outcome::kTooMany;
  }
  const float* x = args_.x + row * width_;
  if (args_.x == nullptr) {
    simd::DivideBytes(args_.bytes + row * width_, width_, args_.divisor, memory_.converted);
    x = memory_.converted;
  }
  RowBound bound = Bound(i);
  if (atoms_.mean() != nullptr) bound.offset = simd::FixedOrderDot(x, atoms_.mean(), width_);
  int32_t* const indices = args_.indices + row * args_.k;
  float* const values = args_.values + row * args_.k;
  if (atoms_.fine() == nullptr) return finder_.Find(x, list, bound, args_.k, max_candidates_, indices, values);
  FineScores fine(*this, i);
  list.closer = &fine;
  return finder_.Find(x, list, bound, args_.k, max_candidates_, indices, values);
}

}  // namespace kwta::onednn::codes
