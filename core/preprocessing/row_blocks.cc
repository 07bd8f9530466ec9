#include "core/preprocessing/row_blocks.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status_macros.h"
#include "core/io/datasets/stored_blocks.h"

namespace kwta {
namespace {

constexpr int64_t kRowsOfAThread = 16;

}  // namespace

absl::Status ForEachBlock(const Dataset& data, const Preprocessor& preprocessor, ThreadPool& pool,
                          const std::function<absl::Status(const float* x, int64_t rows)>& visit) {
  const int64_t width = preprocessor.has_steps() ? ElementCount(preprocessor.output_shape()) : data.width();
  std::vector<float> block(std::min(kStoredBlockRows, data.rows()) * width);
  return ForEachStoredBlock(data, [&](const RowsView& view, int64_t begin) {
    absl::Mutex mutex;
    absl::Status error;
    pool.ParallelFor(view.rows, kRowsOfAThread, [&](int64_t from, int64_t to, int) {
      const absl::Status status = preprocessor.ApplySteps(view.Slice(from, to - from), block.data() + from * width);
      if (status.ok()) return;
      const absl::MutexLock lock(&mutex);
      error.Update(absl::Status(status.code(),
                                absl::StrCat("counted from row ", begin + from, " of the data, ", status.message())));
    });
    KWTA_RETURN_IF_ERROR(error);
    return visit(block.data(), view.rows);
  });
}

}  // namespace kwta
