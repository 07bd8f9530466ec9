#include "core/backends/onednn/codes/affine_top_k.h"

#include <chrono>
#include <numeric>
#include <vector>

#include "core/backends/onednn/codes/byte_filter.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/codes/float_filter.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::codes {
namespace {

constexpr int64_t kFewFilteredRows = 8;

// Returns for how many rows the filter failed, which took another then.
absl::StatusOr<int64_t> TakeFilter(support::Context& context, const AffineTopKArgs& args, support::Filter filter) {
  const auto& dictionary = static_cast<const PreparedDictionary&>(*args.dictionary);
  // Few rows are bound by reading the atoms, and bytes are the smallest copy of them.
  const bool filters =
      dictionary.quantised() != nullptr && (filter == support::Filter::kBytes || args.rows <= kFewFilteredRows);
  // The bounds are proven for scales far from the ends of binary32's range.
  const bool takes = args.x != nullptr || (args.divisor > 0x1p-60f && args.divisor < 0x1p60f);
  std::vector<int64_t> rows;
  if (filters && takes) {
    KWTA_ASSIGN_OR_RETURN(rows, ByteFilteredTopK(context, args));
    if (rows.empty()) return 0;
  } else {
    rows.resize(static_cast<size_t>(args.rows));
    std::iota(rows.begin(), rows.end(), int64_t{0});
  }
  const bool failed = filters && takes;
  KWTA_RETURN_IF_ERROR(FloatFilteredTopK(context, args, rows, filter != support::Filter::kFloats));
  return failed ? static_cast<int64_t>(rows.size()) : 0;
}

}  // namespace

absl::Status AffineTopK(support::Context& context, const AffineTopKArgs& args) {
  if (args.rows == 0) return absl::OkStatus();
  const auto& dictionary = static_cast<const PreparedDictionary&>(*args.dictionary);
  FilterWatch* const watch = dictionary.watch();
  if (watch == nullptr) {
    const auto filter = dictionary.bf16() == nullptr ? support::Filter::kBytes : support::Filter::kBf16;
    return TakeFilter(context, args, filter).status();
  }
  const support::Filter filter = watch->Next(args.rows);
  const auto start = std::chrono::steady_clock::now();
  KWTA_ASSIGN_OR_RETURN(const int64_t left_out, TakeFilter(context, args, filter));
  watch->Took(filter, args.rows, left_out,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return absl::OkStatus();
}

}  // namespace kwta::onednn::codes
