#include "core/backends/onednn/support/sparse_products.h"

#include <algorithm>
#include <vector>

#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::support {
namespace {

// A panel's part of the dense rows that are read together stays in the first cache.
constexpr int64_t kPanelBytes = int64_t{44} << 10;
constexpr int64_t kPanelLanes = 16;
constexpr int64_t kPanelVectors = 8;  // what the kernels keep in registers
constexpr int64_t kTaskRows = 64;

// Units of a task that transposes their rows first. Their transposed rows stay in the second cache.
constexpr int64_t kTransposedUnits = kPanelVectors * kPanelLanes;

// Units whose rows stay in the first cache, and of a task.
constexpr int64_t kDotUnits = 12;
constexpr int64_t kDotTaskUnits = 5 * kDotUnits;

// The width of panels of n columns: as equal as possible, of whole vectors.
int64_t PanelWidth(int64_t n) {
  const int64_t vectors = DivideUp(n, kPanelLanes);
  return kPanelLanes * DivideUp(vectors, DivideUp(vectors, kPanelVectors));
}

// Walks through the entries of some rows in blocks of their indices.
class EntryCursors {
 public:
  EntryCursors(const SparseRows& a, int64_t first_row, int64_t rows)
      : a_(a), first_row_(first_row), next_(static_cast<size_t>(rows)) {}

  // Passes the entries below `index` of every row.
  void SkipTo(int32_t index) {
    for (size_t r = 0; r < next_.size(); ++r) {
      const int64_t row = first_row_ + static_cast<int64_t>(r);
      const int32_t* const indices = a_.indices + row * a_.stride;
      next_[r] = static_cast<int32_t>(std::lower_bound(indices, indices + a_.counts[row], index) - indices);
    }
  }
  // Calls visit(row, first entry's place, number of entries) for each row that has entries below `end` left.
  template <typename Visit>
  void UpTo(int64_t end, const Visit& visit) {
    for (size_t r = 0; r < next_.size(); ++r) {
      const int64_t row = first_row_ + static_cast<int64_t>(r);
      const int32_t* const indices = a_.indices + row * a_.stride;
      const int32_t count = a_.counts[row], begin = next_[r];
      int32_t at = begin;
      if (count > 0 && indices[count - 1] < end) {
        at = count;
      } else {
        while (at < count && indices[at] < end) ++at;
      }
      next_[r] = at;
      if (at > begin) visit(row, row * a_.stride + begin, at - begin);
    }
  }

 private:
  const SparseRows& a_;
  const int64_t first_row_;
  std::vector<int32_t> next_;
};

}  // namespace

void SparseTimesDense(Context& context, const SparseTimesDenseArgs& args) {
  const SparseKernels& kernels = SparseKernelsFor(context.instruction_set);
  const float* const values = args.values != nullptr ? args.values : args.a.values;
  const int64_t panel = PanelWidth(args.n), panels = DivideUp(args.n, panel);
  const int64_t row_blocks = DivideUp(args.a.rows, kTaskRows);
  const int64_t block = std::max<int64_t>(1, kPanelBytes / (panel * static_cast<int64_t>(sizeof(float))));
  context.pool.ParallelFor(panels * row_blocks, 1, [&](int64_t task, int64_t, int) {
    const int64_t column = task / row_blocks * panel, columns = std::min(panel, args.n - column);
    const int64_t first = task % row_blocks * kTaskRows, rows = std::min(kTaskRows, args.a.rows - first);
    for (int64_t i = first; i < first + rows && !args.add; ++i) {
      float* const out = args.out + i * args.n + column;
      std::fill_n(out, columns, 0.0f);
      if (args.start == nullptr) continue;
      const int32_t only = 0;
      const float scale = args.start_scales != nullptr ? args.start_scales[i] : 1;
      kernels.accumulate(&only, &scale, 1, args.start + i * args.start_stride + column, 0, columns, out);
    }
    EntryCursors cursors(args.a, first, rows);
    for (int64_t end = block; end - block < args.inner; end += block) {
      cursors.UpTo(end, [&](int64_t row, int64_t entry, int64_t count) {
        kernels.accumulate(args.a.indices + entry, values + entry, count, args.b + column, args.n, columns,
                           args.out + row * args.n + column);
      });
    }
  });
}

absl::Status SparseTimesTransposed(Context& context, const SparseTimesTransposedArgs& args) {
  const SparseKernels& kernels = SparseKernelsFor(context.instruction_set);
  const int64_t room = args.inner * kTransposedUnits;
  KWTA_ASSIGN_OR_RETURN(ScratchPool::Lease memory, context.scratch.Take(context.pool.threads() * room * sizeof(float)));
  const int64_t block = kPanelBytes / (kTransposedUnits * static_cast<int64_t>(sizeof(float)));
  std::vector<int32_t> all(args.offset != nullptr ? args.inner : 0);
  for (size_t d = 0; d < all.size(); ++d) all[d] = static_cast<int32_t>(d);
  context.pool.ParallelFor(DivideUp(args.n, kTransposedUnits), 1, [&](int64_t task, int64_t, int thread) {
    const int64_t first = task * kTransposedUnits, units = std::min(kTransposedUnits, args.n - first);
    float* const transposed = memory.as<float>() + thread * room;  // [inner, units]
    kernels.transpose(args.b + first * args.inner, args.inner, units, args.inner, transposed, kTransposedUnits);
    float start[kTransposedUnits] = {};
    if (args.offset != nullptr) {
      kernels.accumulate(all.data(), args.offset, args.inner, transposed, kTransposedUnits, units, start);
    }
    for (int64_t j = 0; j < units; ++j) start[j] = (args.start != nullptr ? args.start[first + j] : 0) - start[j];
    for (int64_t i = 0; i < args.a.rows; ++i) std::copy_n(start, units, args.out + i * args.out_stride + first);
    EntryCursors cursors(args.a, 0, args.a.rows);
    for (int64_t end = block; end - block < args.inner; end += block) {
      cursors.UpTo(end, [&](int64_t row, int64_t entry, int64_t count) {
        kernels.accumulate(args.a.indices + entry, args.a.values + entry, count, transposed, kTransposedUnits, units,
                           args.out + row * args.out_stride + first);
      });
    }
  });
  return absl::OkStatus();
}

absl::Status AddTransposedProduct(Context& context, const AddTransposedProductArgs& args) {
  const SparseKernels& kernels = SparseKernelsFor(context.instruction_set);
  const int64_t room = args.a.rows * kTransposedUnits;
  KWTA_ASSIGN_OR_RETURN(ScratchPool::Lease memory, context.scratch.Take(context.pool.threads() * room * sizeof(float)));
  const int64_t block = kPanelBytes / (kTransposedUnits * static_cast<int64_t>(sizeof(float)));
  context.pool.ParallelFor(DivideUp(args.n, kTransposedUnits), 1, [&](int64_t task, int64_t, int thread) {
    const int64_t first = task * kTransposedUnits, units = std::min(kTransposedUnits, args.n - first);
    float* const product = memory.as<float>() + thread * room;  // [a.rows, units]
    std::fill_n(product, room, 0.0f);
    EntryCursors cursors(args.a, 0, args.a.rows);
    for (int64_t end = block; end - block < args.inner; end += block) {
      cursors.UpTo(end, [&](int64_t row, int64_t entry, int64_t count) {
        kernels.accumulate(args.a.indices + entry, args.a.values + entry, count, args.b + first, args.b_stride, units,
                           product + row * kTransposedUnits);
      });
    }
    kernels.add_transposed(product, kTransposedUnits, args.a.rows, units, args.out + first * args.a.rows, args.a.rows);
    if (!args.after_row) return;
    for (int64_t j = first; j < first + units; ++j) args.after_row(j);
  });
  return absl::OkStatus();
}

void DotsAtEntries(Context& context, const DotsAtEntriesArgs& args) {
  const SparseKernels& kernels = SparseKernelsFor(context.instruction_set);
  context.pool.ParallelFor(DivideUp(args.n, kDotTaskUnits), 1, [&](int64_t task, int64_t, int) {
    const int64_t first = task * kDotTaskUnits, last = std::min(first + kDotTaskUnits, args.n);
    EntryCursors cursors(args.a, 0, args.a.rows);
    cursors.SkipTo(static_cast<int32_t>(first));
    for (int64_t unit = first; unit < last; unit += kDotUnits) {
      cursors.UpTo(std::min(unit + kDotUnits, last), [&](int64_t row, int64_t entry, int64_t count) {
        kernels.dots(args.x + row * args.width, args.a.indices + entry, count, args.b, args.width, args.width,
                     args.products + entry);
      });
    }
  });
}

}  // namespace kwta::onednn::support
