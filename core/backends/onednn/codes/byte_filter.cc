#include "core/backends/onednn/codes/byte_filter.h"

#include <algorithm>

#include "core/backends/onednn/codes/block_finder.h"
#include "core/backends/onednn/codes/byte_rows.h"
#include "core/backends/onednn/codes/sampled_filter.h"
#include "core/base/cpu.h"
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
    together_ = BlockFinder::Suits(CoreCacheBytes(), atoms_.units(), atoms_.width(), block_rows_, args.k);
  }

  struct Memory {
    Memory(const ByteCall& call, support::Arena& arena)
        : rows(call.block_rows_, call.atoms_.width(), arena),
          scores(arena.Take<float>(call.block_rows_ * call.padded_units_)),
          finder(call.together_ ? call.block_rows_ : 0, ByteRows::MaxCandidates(call.args_), arena),
          converted(arena.Take<float>(call.together_ && call.args_.x == nullptr ? call.block_rows_ * call.atoms_.width()
                                                                                : 0)) {}

    ByteRows::Memory rows;
    float* scores;  // [rows, padded units]
    BlockFinder::Memory finder;
    float* converted;  // [rows, width]
  };

  int64_t block_rows() const { return block_rows_; }
  bool blocks_in_turn() const { return shares_units_; }
  void EncodeBlock(int64_t begin, int64_t count, const Memory& memory, char* left_out);

 private:
  ScoreList ListOf(int64_t i, const Memory& memory) const {
    ScoreList list;
    list.scores = memory.scores + i * padded_units_;
    list.size = atoms_.units();
    return list;
  }
  void FindTogether(int64_t begin, int64_t count, const ByteRows& rows, const Memory& memory, char* left_out);
  // Writes memory.scores.
  void ScoreUnits(const RowTiles& tiles, const Memory& memory);

  support::Context& context_;
  const AffineTopKArgs& args_;
  const QuantisedAtoms& atoms_;
  const int64_t padded_units_;
  bool shares_units_;
  int64_t block_rows_;
  bool together_;  // the exact scores of a block's rows
};

void ByteCall::EncodeBlock(int64_t begin, int64_t count, const Memory& memory, char* left_out) {
  ByteRows rows(context_, args_, memory.rows);
  for (int64_t i = 0; i < count; ++i) rows.Quantise(begin + i, i);
  ScoreUnits(rows.Tiles(count), memory);
  if (together_) return FindTogether(begin, count, rows, memory, left_out);
  for (int64_t i = 0; i < count; ++i) {
    left_out[begin + i] = rows.Find(begin + i, i, ListOf(i, memory)) != Outcome::kCode;
  }
}

void ByteCall::FindTogether(int64_t begin, int64_t count, const ByteRows& rows, const Memory& memory, char* left_out) {
  BlockFinder finder(context_, *args_.dictionary, args_.k, ByteRows::MaxCandidates(args_), memory.finder);
  for (int64_t i = 0; i < count; ++i) {
    left_out[begin + i] = !rows.IsSafe(i);
    if (left_out[begin + i]) continue;
    const float* const x = rows.Floats(begin + i, memory.converted + i * atoms_.width());
    finder.Add(i, x, ListOf(i, memory), rows.WholeBound(i, x));
  }
  finder.Encode([&](int64_t i) { return args_.indices + (begin + i) * args_.k; },
                [&](int64_t i) { return args_.values + (begin + i) * args_.k; },
                [&](int64_t i, Outcome outcome) { left_out[begin + i] = outcome != Outcome::kCode; });
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
