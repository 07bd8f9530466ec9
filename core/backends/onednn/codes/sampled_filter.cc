#include "core/backends/onednn/codes/sampled_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/backends/onednn/codes/byte_rows.h"
#include "core/base/divide_up.h"

namespace kwta::onednn::codes {
namespace {

constexpr float kNoBound = std::numeric_limits<float>::infinity();

// Rows that share one read of the dictionary. They and the data kept for each fit into a core's own cache.
constexpr int64_t kSampledBlockRows = 258;
// One in this many units is sampled.
constexpr int64_t kSampleStep = 16;
// Panels that share the bounds which limits are compared with.
constexpr int64_t kGroupPanels = 8;
// Lines of the next panel that are fetched before a tile. With more it would wait for them.
constexpr int64_t kMostLinesOfTile = 96;
// Bytes of the sampled scores of some rows, which stay in a core's own cache too.
constexpr int64_t kSampleBytes = 256 << 10;

class SampledCall {
 public:
  SampledCall(support::Context& context, const AffineTopKArgs& args)
      : context_(context),
        args_(args),
        atoms_(*static_cast<const PreparedDictionary&>(*args.dictionary).quantised()),
        largest_(LargestKernelsFor(context.instruction_set)) {
    // At least k units of the sample are not padding.
    sample_panels_ = std::min(atoms_.panels(),
                              std::max(DivideUp(atoms_.panels(), kSampleStep), DivideUp(2 * args.k, kPanelUnits) + 1));
    sample_rows_ =
        std::max<int64_t>(kByteTileRows, kSampleBytes / (sample_units() * static_cast<int64_t>(sizeof(float))) /
                                             kByteTileRows * kByteTileRows);
    list_capacity_ = 4096 + 16 * args.k;
    const int64_t blocks =
        DivideUp(args.rows, kSampledBlockRows * context.pool.threads()) * static_cast<int64_t>(context.pool.threads());
    block_rows_ = std::min(args.rows, DivideUp(DivideUp(args.rows, blocks), kByteTileRows) * kByteTileRows);
  }

  struct Memory;

  int64_t block_rows() const { return block_rows_; }
  bool blocks_in_turn() const { return false; }
  void EncodeBlock(int64_t begin, int64_t count, const Memory& memory, char* left_out);

 private:
  class Worker;

  int64_t sample_units() const { return sample_panels_ * kPanelUnits; }
  // The panels of the sample are spread over the dictionary.
  int64_t SampledPanel(int64_t i) const { return i * atoms_.panels() / sample_panels_; }

  // The chance is one in ten thousand that a number of panels holds more than this many of the k best units, or of the
  // few more that CodeFinder may take in their place.
  int64_t GuessedRank(int64_t panels) const {
    const double share = static_cast<double>(panels) / static_cast<double>(atoms_.panels());
    const double expected = (1.125 * static_cast<double>(args_.k) + 4) * share;
    return static_cast<int64_t>(expected + 4 * std::sqrt(expected * (1 - share)) + 2);
  }

  support::Context& context_;
  const AffineTopKArgs& args_;
  const QuantisedAtoms& atoms_;
  const LargestKernels& largest_;
  int64_t sample_panels_;
  int64_t sample_rows_;
  int64_t list_capacity_;
  int64_t block_rows_;
};

// The memory of one thread.
struct SampledCall::Memory {
  Memory(const SampledCall& call, support::Arena& arena) : rows(call.block_rows_, call.atoms_.width(), arena) {
    const int64_t block = call.block_rows_;
    const int64_t room = call.list_capacity_ + kListMargin;
    sample = arena.Take<float>(std::min(block, call.sample_rows_) * call.sample_units());
    positions = arena.Take<int32_t>(call.sample_units() + kScorePadding);
    lists = arena.Take<ScoredUnits>(block);
    list_scores = arena.Take<float>(block * room);
    list_units = arena.Take<int32_t>(block * room);
    limits = arena.Take<double>(block);
    least = arena.Take<float>(block);
  }

  ByteRows::Memory rows;
  float* sample;
  int32_t* positions;
  ScoredUnits* lists;
  float* list_scores;
  int32_t* list_units;
  double* limits;  // of each row: units whose approximate score plus its bound is below it are not in the list
  float* least;
};

// A block of rows.
class SampledCall::Worker {
 public:
  Worker(const SampledCall& call, const Memory& memory, char* left_out)
      : call_(call),
        atoms_(call.atoms_),
        memory_(memory),
        left_out_(left_out),
        byte_rows_(call.context_, call.args_, memory.rows) {}

  void Encode(int64_t begin, int64_t count) {
    std::vector<int64_t> rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), begin);
    guessing_ = true;
    Try(rows);
    if (again_.empty()) return;
    rows.swap(again_);
    guessing_ = false;
    Try(rows);
  }

 private:
  // Encodes the rows. again_ then holds the rows whose guess was too high.
  void Try(const std::vector<int64_t>& rows) {
    const int64_t count = static_cast<int64_t>(rows.size());
    const int64_t room = call_.list_capacity_ + kListMargin;
    for (int64_t i = 0; i < count; ++i) {
      byte_rows_.Quantise(rows[i], i);
      memory_.lists[i] = {memory_.list_scores + i * room, memory_.list_units + i * room, 0, call_.list_capacity_};
    }
    tiles_ = byte_rows_.Tiles(count);
    TakeSample();
    CollectUnits();
    again_.clear();
    for (int64_t i = 0; i < count; ++i) {
      const Outcome outcome = Find(rows[i], i);
      left_out_[rows[i]] = outcome != Outcome::kCode;
      if (outcome == Outcome::kTooShort && guessing_) again_.push_back(rows[i]);
    }
  }

  // Sets the limits, and starts the lists with the units of the sample.
  void TakeSample() {
    for (const RowTile* first = tiles_.begin(); first != tiles_.end();) {
      const RowTile* last = first;
      int64_t rows = 0;
      while (last != tiles_.end() && rows + last->rows <= call_.sample_rows_) rows += (last++)->rows;
      const int64_t units = call_.sample_units();
      float* const scores = memory_.sample - first->first_row * units;
      for (int64_t p = 0; p < call_.sample_panels_; ++p) {
        const AtomPanel panel = atoms_.panel(call_.SampledPanel(p));
        for (const RowTile* tile = first; tile != last; ++tile) {
          atoms_.kernels().score_tile(*tile, memory_.rows.rows, panel, scores + p * kPanelUnits, units);
        }
      }
      for (int64_t i = first->first_row; i < first->first_row + rows; ++i) StartList(i, scores + i * units);
      first = last;
    }
  }

  void StartList(int64_t i, const float* scores) {
    const int64_t units = call_.sample_units();
    const double error = byte_rows_.Bound(i).LargestError();
    if (guessing_) {
      const int64_t rank = std::min(call_.GuessedRank(call_.sample_panels_), units - kPanelUnits);
      memory_.limits[i] = call_.largest_.threshold(scores, units, rank, rank + rank / 8);
    } else {
      // Low enough for certain: k units of the sample reach it whatever their errors are.
      memory_.limits[i] = call_.largest_.threshold(scores, units, call_.args_.k, call_.args_.k) - error;
    }
    const float least = Least(i, error);
    const int64_t found = call_.largest_.collect(scores, units, least, memory_.positions);
    ScoredUnits& list = memory_.lists[i];
    list.size = found;
    for (int64_t n = 0; n < std::min(found, list.capacity); ++n) {
      const int32_t position = memory_.positions[n];
      list.scores[n] = scores[position];
      list.units[n] = static_cast<int32_t>(call_.SampledPanel(position / kPanelUnits) * kPanelUnits) +
                      position % static_cast<int32_t>(kPanelUnits);
    }
  }

  // A lower score, with an error of at most `error`, is below the row's limit.
  float Least(int64_t i, double error) const {
    const float least = static_cast<float>(memory_.limits[i] - error);
    return least - std::abs(least) * 0x1p-22f - 0x1p-126f;
  }

  // Raises the guesses according to the units found in a number of panels.
  void RaiseLimits(int64_t panels) {
    const int64_t rank = call_.GuessedRank(panels);
    for (const RowTile& tile : tiles_) {
      for (int64_t i = tile.first_row; i < tile.first_row + tile.rows; ++i) {
        ScoredUnits& list = memory_.lists[i];
        if (list.size < rank || list.size > list.capacity) continue;
        Pad(&list);
        const float guess = call_.largest_.threshold(list.scores, PaddedScores(list.size), rank, rank + rank / 16);
        memory_.limits[i] = std::max(memory_.limits[i], double{guess});
      }
    }
  }

  static void Pad(ScoredUnits* list) {
    std::fill(list->scores + list->size, list->scores + PaddedScores(list->size), -kNoBound);
  }

  // Sets what the scores of a group of panels must reach to be in the lists.
  void SetLeast(int64_t first_panel) {
    LargestFactors largest;
    for (int64_t p = first_panel; p < std::min(first_panel + kGroupPanels, atoms_.panels()); ++p) {
      const LargestFactors& factors = atoms_.panel_factors(p);
      largest.norm = std::max(largest.norm, factors.norm);
      largest.residual = std::max(largest.residual, factors.residual);
      largest.constant = std::max(largest.constant, factors.constant);
    }
    for (const RowTile& tile : tiles_) {
      for (int64_t i = tile.first_row; i < tile.first_row + tile.rows; ++i) {
        memory_.least[i] = Least(i, byte_rows_.Bound(i).LargestErrorOf(largest));
      }
    }
  }

  // Adds the units that reach the limits to the lists, from the panels outside the sample.
  void CollectUnits() {
    int64_t sample = 0;
    int64_t raise_at = call_.sample_panels_ * 2;
    for (int64_t p = 0; p < atoms_.panels(); ++p) {
      if (p % kGroupPanels == 0) {
        const int64_t seen = p + call_.sample_panels_ - sample;
        if (guessing_ && seen >= raise_at) {
          RaiseLimits(seen);
          raise_at += raise_at / 2;
        }
        SetLeast(p);
      }
      if (sample < call_.sample_panels_ && p == call_.SampledPanel(sample)) {
        ++sample;
        continue;
      }
      const bool skips = sample < call_.sample_panels_ && p + 1 == call_.SampledPanel(sample);
      CollectPanel(p, std::min(p + (skips ? 2 : 1), atoms_.panels() - 1));
    }
  }

  // Adds the units of a panel that reach the limits to the lists, and fetches the next panel meanwhile: what the
  // hardware fetches by itself comes too late for the first tile.
  void CollectPanel(int64_t p, int64_t next) {
    constexpr int64_t kLine = 64;
    const AtomPanel panel = atoms_.panel(p);
    const int64_t lines = Quads(atoms_.width()) * kPanelUnits * 4 / kLine;
    const int64_t lines_of_tile = std::min(DivideUp(lines, tiles_.end() - tiles_.begin()), kMostLinesOfTile);
    const int8_t* const ahead = atoms_.panel(next).weights;
    int64_t line = 0;
    for (const RowTile& tile : tiles_) {
      for (const int64_t end = std::min(line + lines_of_tile, lines); line < end; ++line) {
        __builtin_prefetch(ahead + line * kLine);
      }
      atoms_.kernels().collect_tile(tile, memory_.rows.rows, panel, p * kPanelUnits, memory_.least, memory_.lists);
    }
  }

  Outcome Find(int64_t row, int64_t i) {
    ScoredUnits& candidates = memory_.lists[i];
    if (candidates.size > candidates.capacity) return Outcome::kTooMany;
    if (candidates.size < call_.args_.k) return Outcome::kTooShort;
    Pad(&candidates);
    ScoreList list;
    list.scores = candidates.scores;
    list.units = candidates.units;
    list.size = candidates.size;
    if (guessing_) list.limit = memory_.limits[i];
    return byte_rows_.Find(row, i, list);
  }

  const SampledCall& call_;
  const QuantisedAtoms& atoms_;
  const Memory& memory_;
  char* const left_out_;
  ByteRows byte_rows_;
  RowTiles tiles_;
  bool guessing_ = true;
  std::vector<int64_t> again_;
};

void SampledCall::EncodeBlock(int64_t begin, int64_t count, const Memory& memory, char* left_out) {
  Worker(*this, memory, left_out).Encode(begin, count);
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> SampledTopK(support::Context& context, const AffineTopKArgs& args) {
  SampledCall call(context, args);
  return EncodeBlocks(context, args.rows, call);
}

}  // namespace kwta::onednn::codes
