#include "core/backends/onednn/byte_filter.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/backends/fixed_order_dot.h"
#include "core/backends/onednn/row_selector.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Scores of a block of rows stay in a core's own cache.
constexpr int64_t kScoreBytes = 256 << 10;
constexpr int64_t kMaxBlockRows = 128;
// A dictionary of more units is scored in chunks of units, of which only those near the threshold are kept.
constexpr int64_t kMaxUnitsAtOnce = 2048;
constexpr int64_t kChunkUnits = 512;
// Fewer rows share the units, not the rows, among threads.
constexpr int64_t kFewRows = 8;
// Products of a row and a quad of 64 units that are worth waking a thread for.
constexpr int64_t kWorkOfAThread = 20000;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Parts of one piece of memory.
class Arena {
 public:
  explicit Arena(char* memory) : next_(memory) {}

  static size_t Rounded(size_t bytes) { return (bytes + 63) / 64 * 64; }

  template <typename T>
  T* Take(int64_t elements) {
    T* taken = reinterpret_cast<T*>(next_);
    next_ += Rounded(static_cast<size_t>(elements) * sizeof(T));
    return taken;
  }

 private:
  char* next_;
};

// Units of one row that are still candidates, with their scores.
struct Candidates {
  float* scores;
  int32_t* units;
  int64_t size;
  int64_t checked_at;  // size at which the threshold is looked for again
  float least;         // scores below it are no candidates
  bool overflown;
};

class Call {
 public:
  Call(OnednnContext& context, const AffineTopKArgs& args)
      : context_(context),
        args_(args),
        dictionary_(static_cast<const OnednnDictionary&>(*args.dictionary)),
        atoms_(*dictionary_.quantised()),
        width_(dictionary_.width),
        units_(dictionary_.units),
        padded_units_(atoms_.panels() * kPanelUnits),
        max_candidates_(std::min(units_, args.k + std::max<int64_t>(args.k, 64 + units_ / 4))),
        left_out_(static_cast<size_t>(args.rows)) {
    const bool few =
        args.rows <= kFewRows && args.rows * atoms_.panels() * Quads(width_) > kWorkOfAThread * context.pool.threads();
    shares_units_ = few && context.pool.threads() > 1;
    chunk_units_ = padded_units_;
    if (padded_units_ > kMaxUnitsAtOnce && !few) {
      chunk_units_ = std::min(padded_units_, DivideUp(std::max(kChunkUnits, 2 * args.k), kPanelUnits) * kPanelUnits);
    }
    list_capacity_ = chunk_units_ < padded_units_ ? 4 * chunk_units_ + kSelectionStep : 0;
    const int64_t most =
        std::clamp<int64_t>(kScoreBytes / (chunk_units_ * int64_t{sizeof(float)}), kTileRows, kMaxBlockRows);
    const int64_t threads = shares_units_ ? 1 : context.pool.threads();
    const int64_t blocks = DivideUp(args.rows, most * threads) * threads;
    block_rows_ = std::min(args.rows, DivideUp(DivideUp(args.rows, blocks), 2) * 2);
  }

  absl::StatusOr<std::vector<int64_t>> Run();

 private:
  class Worker;

  size_t ThreadBytes() const {
    return Arena::Rounded(static_cast<size_t>(block_rows_ * PaddedWidth(width_))) +
           Arena::Rounded(static_cast<size_t>(block_rows_) * sizeof(QuantisedRow)) +
           Arena::Rounded(RowTiles::MemoryBytes(block_rows_, width_)) +
           Arena::Rounded(static_cast<size_t>(block_rows_ * chunk_units_) * sizeof(float)) +
           Arena::Rounded(static_cast<size_t>(width_) * sizeof(float)) +
           Arena::Rounded(static_cast<size_t>(block_rows_) * sizeof(Candidates)) +
           2 * Arena::Rounded(static_cast<size_t>(block_rows_ * list_capacity_) * sizeof(float)) +
           Arena::Rounded(static_cast<size_t>(chunk_units_ + kSelectionStep) * sizeof(int32_t));
  }

  OnednnContext& context_;
  const AffineTopKArgs& args_;
  const OnednnDictionary& dictionary_;
  const QuantisedAtoms& atoms_;
  const int64_t width_;
  const int64_t units_;
  const int64_t padded_units_;
  const int64_t max_candidates_;
  std::vector<char> left_out_;
  bool shares_units_;
  int64_t chunk_units_;
  int64_t list_capacity_;
  int64_t block_rows_;
};

// One thread's part of a call.
class Call::Worker {
 public:
  Worker(Call& call, char* memory)
      : call_(call),
        args_(call.args_),
        selection_(SelectionKernelsFor(call.context_.instruction_set)),
        selector_(call.context_.instruction_set, call.dictionary_) {
    Arena arena(memory);
    bytes_ = arena.Take<uint8_t>(call.block_rows_ * PaddedWidth(call.width_));
    rows_ = arena.Take<QuantisedRow>(call.block_rows_);
    tile_memory_ = arena.Take<char>(static_cast<int64_t>(RowTiles::MemoryBytes(call.block_rows_, call.width_)));
    scores_ = arena.Take<float>(call.block_rows_ * call.chunk_units_);
    converted_ = arena.Take<float>(call.width_);
    lists_ = arena.Take<Candidates>(call.block_rows_);
    list_scores_ = arena.Take<float>(call.block_rows_ * call.list_capacity_);
    list_units_ = arena.Take<int32_t>(call.block_rows_ * call.list_capacity_);
    positions_ = arena.Take<int32_t>(call.chunk_units_ + kSelectionStep);
  }

  void EncodeBlock(int64_t begin, int64_t rows) {
    for (int64_t i = 0; i < rows; ++i) Quantise(begin + i, bytes_ + i * PaddedWidth(call_.width_), &rows_[i]);
    tiles_.Build(call_.atoms_.kernels(), bytes_, rows_, rows, call_.width_, tile_memory_);
    const int64_t chunk = call_.chunk_units_;
    if (chunk == call_.padded_units_) {
      ScoreUnits(0, chunk);
      for (int64_t i = 0; i < rows; ++i) {
        ScoreList list;
        list.scores = scores_ + i * chunk;
        list.size = call_.units_;
        Select(begin + i, rows_[i], list);
      }
      return;
    }
    for (int64_t i = 0; i < rows; ++i) {
      lists_[i] = {list_scores_ + i * call_.list_capacity_, list_units_ + i * call_.list_capacity_, 0, 0, 0, false};
    }
    for (int64_t unit = 0; unit < call_.padded_units_; unit += chunk) {
      const int64_t count = std::min(chunk, call_.padded_units_ - unit);
      ScoreUnits(unit, count);
      for (int64_t i = 0; i < rows; ++i) KeepCandidates(rows_[i], unit, count, scores_ + i * chunk, &lists_[i]);
    }
    for (int64_t i = 0; i < rows; ++i) {
      Candidates& candidates = lists_[i];
      if (candidates.overflown) {
        call_.left_out_[begin + i] = 1;
        continue;
      }
      Pad(&candidates);
      ScoreList list;
      list.scores = candidates.scores;
      list.units = candidates.units;
      list.size = candidates.size;
      Select(begin + i, rows_[i], list);
    }
  }

 private:
  void Quantise(int64_t row, uint8_t* bytes, QuantisedRow* quantised) const {
    const ByteKernels& kernels = call_.atoms_.kernels();
    const int64_t width = call_.width_;
    if (args_.x != nullptr) {
      *quantised = kernels.quantise(args_.x + row * width, width, bytes);
      return;
    }
    std::memcpy(bytes, args_.bytes + row * width, static_cast<size_t>(width));
    std::memset(bytes + width, 0, static_cast<size_t>(PaddedWidth(width) - width));
    *quantised = QuantisedRow();
    quantised->scale = 1 / args_.divisor;
    quantised->norm = std::sqrt(static_cast<double>(kernels.byte_norm(bytes, width))) /
                      static_cast<double>(args_.divisor) * (1 + 0x1p-20);
    // Both the quotient and the scale are rounded.
    quantised->residual_norm = quantised->norm * 0x1p-22;
  }

  // scores_[row, unit - first] for the block's rows.
  void ScoreUnits(int64_t first, int64_t count) {
    const auto score = [this, first](int64_t panel) {
      const AtomPanel atoms = call_.atoms_.panel(first / kPanelUnits + panel);
      for (const RowTile& tile : tiles_) {
        call_.atoms_.kernels().score_tile(tile, rows_, atoms, scores_ + panel * kPanelUnits, call_.chunk_units_);
      }
    };
    const int64_t panels = count / kPanelUnits;
    if (!call_.shares_units_) {
      for (int64_t panel = 0; panel < panels; ++panel) score(panel);
      return;
    }
    const int64_t grain = DivideUp(panels, int64_t{8} * call_.context_.pool.threads());
    call_.context_.pool.ParallelFor(panels, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t panel = begin; panel < end; ++panel) score(panel);
    });
  }

  RowBound Bound(const QuantisedRow& row) const {
    RowBound bound;
    bound.units = &call_.atoms_.bounds();
    bound.norm = row.norm;
    bound.residual_norm = row.residual_norm;
    return bound;
  }

  static void Pad(Candidates* candidates) {
    std::fill(candidates->scores + candidates->size, candidates->scores + PaddedScores(candidates->size), -kInfinity);
  }

  // Adds the units of a chunk that can be in the code to `candidates`.
  void KeepCandidates(const QuantisedRow& row, int64_t first, int64_t count, const float* scores,
                      Candidates* candidates) const {
    if (candidates->overflown) return;
    if (first == 0) {
      candidates->least = Least(row, selection_.threshold(scores, count, args_.k, args_.k + args_.k / 4 + 4));
    }
    const int64_t found = selection_.collect(scores, count, candidates->least, positions_);
    for (int64_t i = 0; i < found; ++i) {
      candidates->scores[candidates->size + i] = scores[positions_[i]];
      candidates->units[candidates->size + i] = static_cast<int32_t>(first) + positions_[i];
    }
    candidates->size += found;
    if (first == 0) candidates->checked_at = 2 * std::max(found, args_.k);
    const bool full = candidates->size + call_.chunk_units_ > call_.list_capacity_ - kSelectionStep;
    if (candidates->size < candidates->checked_at && !full) return;
    Tighten(row, candidates);
    candidates->checked_at = 2 * std::max(candidates->size, args_.k);
    candidates->overflown = candidates->size + call_.chunk_units_ > call_.list_capacity_ - kSelectionStep;
  }

  // k units have an approximate score of at least `kth`, so one below this cannot be among the k largest.
  float Least(const QuantisedRow& row, float kth) const {
    const double least = kth - 2 * Bound(row).LargestError();
    return std::nextafter(static_cast<float>(least), -kInfinity);
  }

  // Raises the threshold by what was found since.
  void Tighten(const QuantisedRow& row, Candidates* candidates) const {
    if (candidates->size < args_.k) return;
    Pad(candidates);
    const float kth =
        selection_.threshold(candidates->scores, PaddedScores(candidates->size), args_.k, args_.k + args_.k / 4 + 4);
    candidates->least = std::max(candidates->least, Least(row, kth));
    int64_t kept = 0;
    for (int64_t i = 0; i < candidates->size; ++i) {
      candidates->scores[kept] = candidates->scores[i];
      candidates->units[kept] = candidates->units[i];
      kept += candidates->scores[i] >= candidates->least;
    }
    candidates->size = kept;
  }

  void Select(int64_t row, const QuantisedRow& quantised, const ScoreList& list) {
    const OnednnDictionary& dictionary = call_.dictionary_;
    if (!CannotOverflow(quantised.norm, dictionary.largest_norm(), dictionary.largest_bias())) {
      call_.left_out_[row] = 1;
      return;
    }
    const float* x = args_.x + row * call_.width_;
    if (args_.x == nullptr) {
      call_.atoms_.kernels().bytes_to_floats(args_.bytes + row * call_.width_, call_.width_, args_.divisor, converted_);
      x = converted_;
    }
    RowBound bound = Bound(quantised);
    if (call_.atoms_.mean() != nullptr) bound.offset = FixedOrderDot(x, call_.atoms_.mean(), call_.width_);
    if (!selector_.Select(x, list, bound, args_.k, call_.max_candidates_, args_.indices + row * args_.k,
                          args_.values + row * args_.k)) {
      call_.left_out_[row] = 1;
    }
  }

  Call& call_;
  const AffineTopKArgs& args_;
  const SelectionKernels& selection_;
  RowSelector selector_;
  RowTiles tiles_;
  uint8_t* bytes_;
  QuantisedRow* rows_;
  char* tile_memory_;
  float* scores_;
  float* converted_;
  Candidates* lists_;
  float* list_scores_;
  int32_t* list_units_;
  int32_t* positions_;
};

absl::StatusOr<std::vector<int64_t>> Call::Run() {
  const int threads = shares_units_ ? 1 : context_.pool.threads();
  KWTA_ASSIGN_OR_RETURN(ScratchPool::Lease lease, context_.scratch.Take(ThreadBytes() * static_cast<size_t>(threads)));
  char* memory = lease.as<char>();
  if (shares_units_) {
    Worker worker(*this, memory);
    for (int64_t begin = 0; begin < args_.rows; begin += block_rows_) {
      worker.EncodeBlock(begin, std::min(block_rows_, args_.rows - begin));
    }
  } else {
    context_.pool.ParallelFor(DivideUp(args_.rows, block_rows_), 1, [&](int64_t block, int64_t, int thread) {
      Worker worker(*this, memory + static_cast<size_t>(thread) * ThreadBytes());
      worker.EncodeBlock(block * block_rows_, std::min(block_rows_, args_.rows - block * block_rows_));
    });
  }
  std::vector<int64_t> left_out;
  for (int64_t i = 0; i < args_.rows; ++i) {
    if (left_out_[i] != 0) left_out.push_back(i);
  }
  return left_out;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> ByteFilteredTopK(OnednnContext& context, const AffineTopKArgs& args) {
  return Call(context, args).Run();
}

}  // namespace kwta
