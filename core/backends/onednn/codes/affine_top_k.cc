#include "core/backends/onednn/codes/affine_top_k.h"

#include <numeric>
#include <vector>

#include "core/backends/onednn/codes/byte_filter.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/codes/float_filter.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::codes {
namespace {

constexpr int64_t kFewFilteredRows = 8;

}  // namespace

absl::Status AffineTopK(support::Context& context, const AffineTopKArgs& args) {
  if (args.rows == 0) return absl::OkStatus();
  const auto& dictionary = static_cast<const PreparedDictionary&>(*args.dictionary);
  // Few rows are bound by reading the atoms, and bytes are the smallest copy of them.
  const bool filters =
      dictionary.quantised() != nullptr && (dictionary.bf16() == nullptr || args.rows <= kFewFilteredRows);
  // The bounds are proven for scales far from the ends of binary32's range.
  const bool takes = args.x != nullptr || (args.divisor > 0x1p-60f && args.divisor < 0x1p60f);
  std::vector<int64_t> rows;
  if (filters && takes) {
    KWTA_ASSIGN_OR_RETURN(rows, ByteFilteredTopK(context, args));
    if (rows.empty()) return absl::OkStatus();
  } else {
    rows.resize(static_cast<size_t>(args.rows));
    std::iota(rows.begin(), rows.end(), int64_t{0});
  }
  return FloatFilteredTopK(context, args, rows);
}

}  // namespace kwta::onednn::codes
