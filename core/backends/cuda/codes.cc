#include "core/backends/cuda/codes.h"

#include <algorithm>
#include <cmath>

#include "core/backends/cuda/kernels/candidates.h"
#include "core/backends/cuda/kernels/scores.h"

namespace kwta::cuda {
namespace {

// Units whose scores are stored at a time: never [rows, units] of a large dictionary.
constexpr int64_t kPieceUnits = 4096;
// Bytes of scores and candidates at a time.
constexpr int64_t kPieceBytes = int64_t{256} << 20;

// Tiles of listed rows that are scored at a time: most often none is listed.
constexpr int64_t kListedTiles = 4;

// Room for candidates besides a piece: more than a few bounds around the k-th score let in.
int64_t CandidateRoom(int64_t k) { return 2 * k + 256; }

// One block of rows.
class RowSearch {
 public:
  RowSearch(Work& work, const CodesArgs& args, int64_t rows)
      : work_(work),
        args_(args),
        piece_(std::min(args.units, kPieceUnits)),
        stride_(RoundUp(piece_, kProductAlignment)) {
    candidates_.rows = rows;
    candidates_.capacity = CandidateRoom(args.k) + piece_;
    candidates_.keys = work.Temporary<uint64_t>(rows * candidates_.capacity);
    candidates_.counts = work.Temporary<int32_t>(rows);
    candidates_.thresholds = work.Temporary<uint64_t>(rows);
    scores_ = work.Temporary<float>(rows * stride_);
    if (IsNull(args.rounded.rounded)) return;
    uppers_ = work.Temporary<float>(rows * candidates_.capacity);
    rounded_ = work.Temporary<uint16_t>(rows * RoundedWidth(args.width));
    lengths_ = work.Temporary<float>(rows);
    row_list_ = work.Temporary<int32_t>(rows);
    row_count_ = work.Temporary<int32_t>(1);
  }

  static int64_t BytesOfRow(const CodesArgs& args) {
    const int64_t piece = std::min(args.units, kPieceUnits);
    return 4 * piece + 12 * (CandidateRoom(args.k) + piece) + 2 * args.width + 64;
  }

  // Rows first .. first + rows - 1 of the batch; at most as many as there is room for.
  void Run(int64_t first, int64_t rows) {
    rows_ = rows;
    x_ = {args_.x.data + first * args_.width, rows * args_.width};
    indices_ = {args_.indices.data + first * args_.k, rows * args_.k};
    values_ = {args_.values.data + first * args_.k, rows * args_.k};
    if (IsNull(uppers_)) {
      Exact(false);
      return;
    }
    Filtered();
    // Rows whose candidates found no room: most often none.
    work_.Launch<ListKernel>(1, ListKernel::kMaxThreads,
                             {In(candidates_.counts.data, rows), {}, rows, 0, true, row_list_, row_count_});
    Exact(true);
  }

 private:
  int FoldThreads(int64_t count) const { return ThreadsFor(count / 8, FoldKernel::kMaxThreads); }

  void Start() {
    work_.Clear(candidates_.counts);
    work_.Clear(candidates_.thresholds);
  }

  void Filtered() {
    Start();
    RoundRowsKernel::Args round;
    round.x = x_;
    round.width = args_.width;
    round.stride = RoundedWidth(args_.width);
    round.root_of_width = std::nextafter(std::sqrt(static_cast<float>(args_.width)), INFINITY);
    round.rounded = rounded_;
    round.lengths = lengths_;
    work_.Launch<RoundRowsKernel>(rows_, ThreadsFor(args_.width, RoundRowsKernel::kMaxThreads), round);
    FoldKernel::Args fold;
    fold.candidates = candidates_;
    fold.candidates.uppers = uppers_;
    fold.k = args_.k;
    fold.scores = In(scores_);
    fold.stride = stride_;
    fold.room = candidates_.capacity - piece_;
    fold.bias = args_.bias;
    fold.atom_lengths = In(args_.rounded.lengths);
    fold.row_lengths = In(lengths_);
    fold.error_factor = Bf16ErrorFactor(args_.width) + ExactErrorFactor(args_.width);
    for (fold.first = 0; fold.first < args_.units; fold.first += piece_) {
      fold.units = std::min(piece_, args_.units - fold.first);
      work_.Bf16Product({rounded_.data, args_.rounded.rounded.data + fold.first * RoundedWidth(args_.width),
                         scores_.data, rows_, fold.units, RoundedWidth(args_.width), stride_});
      work_.Launch<FoldKernel>(rows_, FoldThreads(fold.units), fold);
    }
    ListedDotsKernel::Args dots;
    dots.x = x_;
    dots.atoms = args_.atoms;
    dots.bias = args_.bias;
    dots.width = args_.width;
    dots.keys = candidates_.keys;
    dots.counts = In(candidates_.counts);
    dots.capacity = candidates_.capacity;
    work_.Launch<ListedDotsKernel>(rows_, ListedDotsKernel::kMaxThreads, dots);
    FoldKernel::Args last;
    last.candidates = candidates_;
    last.k = args_.k;
    last.room = candidates_.capacity;
    work_.Launch<FoldKernel>(rows_, FoldThreads(fold.room), last);
    Write(false);
  }

  // All rows, or those that are listed.
  void Exact(bool listed) {
    Start();
    ExactScoresKernel::Args scores;
    scores.x = x_;
    scores.atoms = args_.atoms;
    scores.bias = args_.bias;
    scores.width = args_.width;
    scores.rows = rows_;
    scores.unit_list = args_.unit_list;
    scores.unit_count = args_.unit_count;
    scores.scores = scores_;
    FoldKernel::Args fold;
    fold.candidates = candidates_;
    fold.k = args_.k;
    fold.scores = In(scores_);
    scores.stride = fold.stride = stride_;
    fold.room = candidates_.capacity;
    fold.unit_count = args_.unit_count;
    if (listed) {
      scores.row_list = In(row_list_);
      scores.row_count = fold.row_count = In(row_count_);
      scores.tiles_at_once = kListedTiles;
    }
    for (int64_t first = 0; first < args_.units; first += piece_) {
      scores.first = fold.first = first;
      scores.units = fold.units = std::min(piece_, args_.units - first);
      work_.Launch<ExactScoresKernel>(ExactScoresKernel::Blocks(scores), ExactScoresKernel::kMaxThreads, scores);
      work_.Launch<FoldKernel>(rows_, FoldThreads(fold.units), fold);
    }
    Write(listed);
  }

  void Write(bool listed) {
    WriteCodesKernel::Args write;
    write.candidates = candidates_;
    write.k = args_.k;
    if (listed) {
      write.row_list = In(row_list_);
      write.row_count = In(row_count_);
    }
    write.unit_list = args_.unit_list;
    write.indices = indices_;
    write.values = values_;
    work_.Launch<WriteCodesKernel>(rows_, ThreadsFor(args_.k, WriteCodesKernel::kMaxThreads), write);
  }

  Work& work_;
  const CodesArgs& args_;
  const int64_t piece_, stride_;
  int64_t rows_ = 0;
  Global<const float> x_;
  Global<int32_t> indices_;
  Global<float> values_;
  Candidates candidates_;
  Global<float> scores_, uppers_, lengths_;
  Global<uint16_t> rounded_;
  Global<int32_t> row_list_, row_count_;
};

}  // namespace

bool UsesFilter(Device& device, Filter filter, int64_t units) {
  if (filter == Filter::kNone || (filter == Filter::kAuto && units < kFilterUnits)) return false;
  return device.has_products();
}

void RoundAtoms(Work& work, Global<const float> atoms, int64_t units, int64_t width, const RoundedAtoms& out) {
  RoundRowsKernel::Args round;
  round.x = atoms;
  round.width = width;
  round.stride = RoundedWidth(width);
  round.root_of_width = std::nextafter(std::sqrt(static_cast<float>(width)), INFINITY);
  round.rounded = out.rounded;
  round.lengths = out.lengths;
  work.Launch<RoundRowsKernel>(units, ThreadsFor(width, RoundRowsKernel::kMaxThreads), round);
}

void FindCodes(Work& work, const CodesArgs& args) {
  if (args.rows == 0) return;
  const int64_t most = std::clamp<int64_t>(kPieceBytes / RowSearch::BytesOfRow(args), 1, args.rows);
  const int64_t rows = DivideUp(args.rows, DivideUp(args.rows, most));  // of equal size, so that no product is thin
  RowSearch search(work, args, rows);
  for (int64_t first = 0; first < args.rows; first += rows) search.Run(first, std::min(rows, args.rows - first));
}

}  // namespace kwta::cuda
