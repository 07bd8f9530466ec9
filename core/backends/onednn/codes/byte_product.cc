#include "core/backends/onednn/codes/byte_product.h"

#include <algorithm>
#include <cstring>

#include "core/simd/intrinsics.h"
#include "core/simd/sums_in_16_bits.h"

namespace kwta::onednn::codes {
namespace {

#define KWTA_WITH_VNNI
#define KWTA_KERNELS "core/backends/onednn/codes/byte_product.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS
#undef KWTA_WITH_VNNI

// Approximate processor cycles for a quad of a tile. A row alone is bound by loads, unless sums of 16 bits take twice
// as many instructions.
constexpr int64_t kCostOfSix = 12;
constexpr int64_t kCostOfTwo = 4;
constexpr int64_t kCostOfOne = 4;
constexpr int64_t kCostOfOneIn16Bits = 2;

// Long steps over all quads take three quarters of the instructions of short ones.
constexpr int64_t kOfQuadsForSteps = 4;
constexpr int64_t kQuadsForSteps = 3;

}  // namespace

const ByteKernels& ByteKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

int64_t RowTiles::MemoryBytes(int64_t rows, int64_t width) {
  const int64_t quads = Quads(width);
  // Masks, tiles, and at most one list of offsets and one of bytes for each row.
  const int64_t row_bytes = DivideUp(quads, 64) * 8 + 2 * quads * 4 + int64_t{sizeof(RowTile)};
  return RoundUp(rows * row_bytes, 64);
}

int64_t RowTiles::UnionSize(int64_t first_row, int64_t rows) const {
  int64_t size = 0;
  for (int64_t word = 0; word < words_; ++word) {
    uint64_t bits = 0;
    for (int64_t r = 0; r < rows; ++r) bits |= masks_[(first_row + r) * words_ + word];
    size += __builtin_popcountll(bits);
  }
  return size;
}

void RowTiles::Add(const uint8_t* bytes, int64_t first_row, int64_t rows) {
  RowTile& tile = tiles_[count_++];
  tile.first_row = static_cast<int32_t>(first_row);
  tile.rows = static_cast<int32_t>(rows);
  const int64_t all = Quads(width_), size = UnionSize(first_row, rows);
  const bool whole = step_quads_ == kStepQuads && kOfQuadsForSteps * size >= kQuadsForSteps * all;
  tile.step_quads = static_cast<int32_t>(whole ? kStepQuads : 1);
  tile.quads = static_cast<int32_t>(whole ? all : size);
  int32_t* offset = next_;
  int32_t* quad = next_ + tile.quads;
  tile.offsets = offset;
  tile.bytes = quad;
  for (int64_t word = 0; word < words_; ++word) {
    uint64_t bits = 0;
    for (int64_t r = 0; r < rows; ++r) bits |= masks_[(first_row + r) * words_ + word];
    if (whole) bits = ~uint64_t{0} >> (64 - std::min<int64_t>(all - word * 64, 64));
    for (; bits != 0; bits &= bits - 1) {
      const int64_t p = word * 64 + __builtin_ctzll(bits);
      *offset++ = static_cast<int32_t>(p * kPanelUnits * 4);
      for (int64_t r = 0; r < rows; ++r) std::memcpy(quad++, bytes + (first_row + r) * padded_width_ + p * 4, 4);
    }
  }
  next_ = quad;
}

void RowTiles::Build(const ByteKernels& kernels, const uint8_t* bytes, const QuantisedRow* quantised, int64_t rows,
                     int64_t width, int64_t step_quads, void* memory) {
  const int64_t quads = Quads(width);
  width_ = width;
  padded_width_ = PaddedWidth(width);
  step_quads_ = step_quads;
  words_ = DivideUp(quads, 64);
  masks_ = static_cast<uint64_t*>(memory);
  tiles_ = reinterpret_cast<RowTile*>(masks_ + rows * words_);
  count_ = 0;
  next_ = reinterpret_cast<int32_t*>(tiles_ + rows);
  for (int64_t i = 0; i < rows; ++i) {
    uint64_t* mask = masks_ + i * words_;
    kernels.nonzero_quads(bytes + i * padded_width_, quads, mask);
    if (quantised[i].zero_point == 0) continue;
    // Here a byte of zero does not mean an element of zero.
    for (int64_t p = 0; p < quads; ++p) mask[p / 64] |= uint64_t{1} << p % 64;
  }
  const int64_t of_one = kernels.sums_in_16_bits ? kCostOfOneIn16Bits : kCostOfOne;
  const auto cost_of_two = [&](int64_t first) { return kCostOfTwo * UnionSize(first, 2); };
  const auto cost_of_ones = [&](int64_t first) { return of_one * (UnionSize(first, 1) + UnionSize(first + 1, 1)); };
  int64_t row = 0;
  for (; row + kByteTileRows <= rows; row += kByteTileRows) {
    int64_t of_fewer = 0;
    for (int64_t r = 0; r < kByteTileRows; r += 2) of_fewer += std::min(cost_of_two(row + r), cost_of_ones(row + r));
    if (kCostOfSix * UnionSize(row, kByteTileRows) <= of_fewer) {
      Add(bytes, row, kByteTileRows);
      continue;
    }
    for (int64_t r = 0; r < kByteTileRows; r += 2) {
      const int64_t at_once = cost_of_two(row + r) <= cost_of_ones(row + r) ? 2 : 1;
      for (int64_t i = 0; i < 2; i += at_once) Add(bytes, row + r + i, at_once);
    }
  }
  for (; row + 2 <= rows; row += 2) Add(bytes, row, 2);
  if (row < rows) Add(bytes, row, 1);
}

}  // namespace kwta::onednn::codes
