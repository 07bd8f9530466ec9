#include "core/preprocessing/row_blocks.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr int64_t kBlockRows = 512;
constexpr int64_t kRowsOfAThread = 16;

}  // namespace

absl::Status ForEachBlock(const Dataset& data, const Preprocessor& preprocessor, ThreadPool& pool,
                          const std::function<absl::Status(const float* x, int64_t rows)>& visit) {
  const int64_t width = preprocessor.has_steps() ? ElementCount(preprocessor.output_shape()) : data.width();
  const int64_t most = std::min(kBlockRows, data.rows());
  std::vector<float> block(most * width);
  std::vector<char> stored(most * data.width() * DTypeSize(data.dtype()));
  std::vector<uint32_t> which(most);
  for (int64_t begin = 0; begin < data.rows(); begin += kBlockRows) {
    const int64_t rows = std::min(kBlockRows, data.rows() - begin);
    std::iota(which.begin(), which.end(), static_cast<uint32_t>(begin));
    data.Gather(which.data(), rows, stored.data());
    const RowsView view{data.dtype(), stored.data(), rows, data.width()};
    absl::Mutex mutex;
    absl::Status error;
    pool.ParallelFor(rows, kRowsOfAThread, [&](int64_t from, int64_t to, int) {
      const absl::Status status = preprocessor.ApplySteps(view.Slice(from, to - from), block.data() + from * width);
      if (status.ok()) return;
      const absl::MutexLock lock(&mutex);
      error.Update(absl::Status(status.code(),
                                absl::StrCat("counted from row ", begin + from, " of the data, ", status.message())));
    });
    KWTA_RETURN_IF_ERROR(error);
    KWTA_RETURN_IF_ERROR(visit(block.data(), rows));
  }
  return absl::OkStatus();
}

}  // namespace kwta
