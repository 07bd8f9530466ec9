#include "core/backends/onednn/codes/byte_filter.h"

#include <algorithm>

#include "core/backends/onednn/codes/byte_rows.h"
#include "core/backends/onednn/codes/sampled_filter.h"
#include "core/backends/onednn/support/arena.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

// Scores of a block of rows stay in a core's own cache.
constexpr int64_t kScoreBytes = 256 << 10;
constexpr int64_t kByteBlockRows = 128;
// With more units all scores of some rows would be too many.
constexpr int64_t kMaxUnitsAtOnce = 2048;
// Fewer rows share the units, not the rows, among threads.
constexpr int64_t kFewRows = 8;
// Products of a row and a quad of 64 units that are worth waking a thread for.
constexpr int64_t kWorkOfAThread = 20000;

class ByteCall {
 public:
  ByteCall(OnednnContext& context, const AffineTopKArgs& args)
      : context_(context),
        args_(args),
        atoms_(*static_cast<const OnednnDictionary&>(*args.dictionary).quantised()),
        width_(atoms_.width()),
        padded_units_(atoms_.panels() * kPanelUnits),
        left_out_(static_cast<size_t>(args.rows)) {
    const int64_t work = args.rows * atoms_.panels() * Quads(width_);
    shares_units_ =
        context.pool.threads() > 1 && args.rows <= kFewRows && work > kWorkOfAThread * context.pool.threads();
    const int64_t most =
        std::clamp<int64_t>(kScoreBytes / (padded_units_ * int64_t{sizeof(float)}), kTileRows, kByteBlockRows);
    const int64_t threads = shares_units_ ? 1 : std::clamp<int64_t>(work / kWorkOfAThread, 1, context.pool.threads());
    const int64_t blocks = DivideUp(args.rows, most * threads) * threads;
    block_rows_ = std::min(args.rows, DivideUp(DivideUp(args.rows, blocks), 2) * 2);
  }

  absl::StatusOr<std::vector<int64_t>> Run();

 private:
  // What a thread works in.
  struct Memory {
    Memory(const ByteCall& call, char* memory) {
      Arena arena(memory);
      bytes = arena.Take<uint8_t>(call.block_rows_ * PaddedWidth(call.width_));
      rows = arena.Take<QuantisedRow>(call.block_rows_);
      tiles = arena.Take<char>(static_cast<int64_t>(RowTiles::MemoryBytes(call.block_rows_, call.width_)));
      scores = arena.Take<float>(call.block_rows_ * call.padded_units_);
      converted = arena.Take<float>(call.width_);
      size = arena.bytes();
    }

    uint8_t* bytes;
    QuantisedRow* rows;
    char* tiles;
    float* scores;
    float* converted;
    size_t size;
  };

  void EncodeBlock(int64_t begin, int64_t rows, const Memory& memory);
  // memory.scores[row, unit] of the block's rows.
  void ScoreUnits(const RowTiles& tiles, const Memory& memory);

  OnednnContext& context_;
  const AffineTopKArgs& args_;
  const QuantisedAtoms& atoms_;
  const int64_t width_;
  const int64_t padded_units_;
  std::vector<char> left_out_;
  bool shares_units_;
  int64_t block_rows_;
};

void ByteCall::EncodeBlock(int64_t begin, int64_t rows, const Memory& memory) {
  ByteRows byte_rows(context_, args_, memory.converted);
  for (int64_t i = 0; i < rows; ++i) {
    byte_rows.Quantise(begin + i, memory.bytes + i * PaddedWidth(width_), &memory.rows[i]);
  }
  RowTiles tiles;
  tiles.Build(atoms_.kernels(), memory.bytes, memory.rows, rows, width_, memory.tiles);
  ScoreUnits(tiles, memory);
  for (int64_t i = 0; i < rows; ++i) {
    ScoreList list;
    list.scores = memory.scores + i * padded_units_;
    list.size = atoms_.units();
    left_out_[begin + i] = byte_rows.Select(begin + i, memory.rows[i], list) != Selected::kCode;
  }
}

void ByteCall::ScoreUnits(const RowTiles& tiles, const Memory& memory) {
  const auto score = [&](int64_t begin, int64_t end, int) {
    for (int64_t panel = begin; panel < end; ++panel) {
      for (const RowTile& tile : tiles) {
        atoms_.kernels().score_tile(tile, memory.rows, atoms_.panel(panel), memory.scores + panel * kPanelUnits,
                                    padded_units_);
      }
    }
  };
  const int64_t panels = atoms_.panels();
  if (!shares_units_) return score(0, panels, 0);
  context_.pool.ParallelFor(panels, DivideUp(panels, int64_t{8} * context_.pool.threads()), score);
}

absl::StatusOr<std::vector<int64_t>> ByteCall::Run() {
  if (padded_units_ > kMaxUnitsAtOnce && args_.rows > kFewRows) return SampledTopK(context_, args_);
  const size_t thread_bytes = Memory(*this, nullptr).size;
  const int threads = shares_units_ ? 1 : context_.pool.threads();
  KWTA_ASSIGN_OR_RETURN(ScratchPool::Lease lease, context_.scratch.Take(thread_bytes * static_cast<size_t>(threads)));
  const auto encode = [&](int64_t block, int64_t, int thread) {
    EncodeBlock(block * block_rows_, std::min(block_rows_, args_.rows - block * block_rows_),
                Memory(*this, lease.as<char>() + static_cast<size_t>(thread) * thread_bytes));
  };
  const int64_t blocks = DivideUp(args_.rows, block_rows_);
  if (shares_units_) {
    for (int64_t block = 0; block < blocks; ++block) encode(block, block + 1, 0);
  } else {
    context_.pool.ParallelFor(blocks, 1, encode);
  }
  std::vector<int64_t> left_out;
  for (int64_t i = 0; i < args_.rows; ++i) {
    if (left_out_[i] != 0) left_out.push_back(i);
  }
  return left_out;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> ByteFilteredTopK(OnednnContext& context, const AffineTopKArgs& args) {
  return ByteCall(context, args).Run();
}

}  // namespace kwta
