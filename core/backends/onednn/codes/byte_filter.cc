#include "core/backends/onednn/codes/byte_filter.h"

#include <algorithm>

#include "core/backends/onednn/codes/byte_rows.h"
#include "core/backends/onednn/codes/sampled_filter.h"
#include "core/base/divide_up.h"

namespace kwta::onednn::codes {
namespace {

// A block's scores stay in a core's own cache.
constexpr int64_t kScoreBytes = 256 << 10;
constexpr int64_t kByteBlockRows = 128;
// Limits the scores that are held for some rows at once.
constexpr int64_t kMaxUnitsAtOnce = 2048;
// With fewer rows, threads share the units instead of the rows.
constexpr int64_t kFewRows = 8;
// A thread is worth waking for this many products of a row and a quad of 64 units.
constexpr int64_t kWorkOfAThread = 20000;

class ByteCall {
 public:
  ByteCall(support::Context& context, const AffineTopKArgs& args)
      : context_(context),
        args_(args),
        atoms_(*static_cast<const PreparedDictionary&>(*args.dictionary).quantised()),
        padded_units_(atoms_.panels() * kPanelUnits) {
    const int64_t work = args.rows * atoms_.panels() * Quads(atoms_.width());
    shares_units_ =
        context.pool.threads() > 1 && args.rows <= kFewRows && work > kWorkOfAThread * context.pool.threads();
    const int64_t most =
        std::clamp<int64_t>(kScoreBytes / (padded_units_ * int64_t{sizeof(float)}), kByteTileRows, kByteBlockRows);
    const int64_t threads = shares_units_ ? 1 : std::clamp<int64_t>(work / kWorkOfAThread, 1, context.pool.threads());
    const int64_t blocks = DivideUp(args.rows, most * threads) * threads;
    block_rows_ = std::min(args.rows, RoundUp(DivideUp(args.rows, blocks), 2));
  }

  struct Memory {
    Memory(const ByteCall& call, support::Arena& arena)
        : rows(call.block_rows_, call.atoms_.width(), arena),
          scores(arena.Take<float>(call.block_rows_ * call.padded_units_)) {}

    ByteRows::Memory rows;
    float* scores;  // [rows, padded units]
  };

  int64_t block_rows() const { return block_rows_; }
  bool blocks_in_turn() const { return shares_units_; }
  void EncodeBlock(int64_t begin, int64_t count, const Memory& memory, char* left_out);

 private:
  // Writes memory.scores.
  void ScoreUnits(const RowTiles& tiles, const Memory& memory);

  support::Context& context_;
  const AffineTopKArgs& args_;
  const QuantisedAtoms& atoms_;
  const int64_t padded_units_;
  bool shares_units_;
  int64_t block_rows_;
};

void ByteCall::EncodeBlock(int64_t begin, int64_t count, const Memory& memory, char* left_out) {
  ByteRows rows(context_, args_, memory.rows);
  for (int64_t i = 0; i < count; ++i) rows.Quantise(begin + i, i);
  ScoreUnits(rows.Tiles(count), memory);
  for (int64_t i = 0; i < count; ++i) {
    ScoreList list;
    list.scores = memory.scores + i * padded_units_;
    list.size = atoms_.units();
    left_out[begin + i] = rows.Find(begin + i, i, list) != Outcome::kCode;
  }
}

void ByteCall::ScoreUnits(const RowTiles& tiles, const Memory& memory) {
  const auto score = [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      for (const RowTile& tile : tiles) {
        atoms_.kernels().score_tile(tile, memory.rows.rows, atoms_.panel(panel), memory.scores + panel * kPanelUnits,
                                    padded_units_);
      }
    }
  };
  const int64_t panels = atoms_.panels();
  if (!shares_units_) return score(0, panels, 0);
  context_.pool.ParallelFor(panels, DivideUp(panels, int64_t{8} * context_.pool.threads()), score);
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> ByteFilteredTopK(support::Context& context, const AffineTopKArgs& args) {
  const int64_t units = static_cast<const PreparedDictionary&>(*args.dictionary).quantised()->units();
  if (RoundUp(units, kPanelUnits) > kMaxUnitsAtOnce && args.rows > kFewRows) return SampledTopK(context, args);
  ByteCall call(context, args);
  return EncodeBlocks(context, args.rows, call);
}

}  // namespace kwta::onednn::codes
