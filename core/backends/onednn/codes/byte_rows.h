// The rows of a call to AffineTopK as the filters of bytes (byte_filter.h, sampled_filter.h) take them.
#pragma once

#include <cstdint>

#include "core/backends/backend.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/codes/row_selector.h"
#include "core/backends/onednn/support/context.h"

namespace kwta {

// One thread's: not thread-safe.
class ByteRows {
 public:
  // REQUIRES: args.dictionary is an OnednnDictionary whose quantised() is not null. `converted` has room for a row of
  // floats; it, the context and args must outlive this.
  ByteRows(const OnednnContext& context, const AffineTopKArgs& args, float* converted);

  // bytes[PaddedWidth(width)] of a row.
  void Quantise(int64_t row, uint8_t* bytes, QuantisedRow* quantised) const;

  // Of the scores that score_tile and collect_tile give a row, without the offset.
  RowBound Bound(const QuantisedRow& row) const;

  // Writes the row's code, unless the answer is another than kCode (see RowSelector::Select). A row whose scores could
  // overflow is kTooMany.
  Selected Select(int64_t row, const QuantisedRow& quantised, const ScoreList& list);

 private:
  const AffineTopKArgs& args_;
  const OnednnDictionary& dictionary_;
  const QuantisedAtoms& atoms_;
  const int64_t width_;
  const int64_t max_candidates_;
  RowSelector selector_;
  float* converted_;
};

}  // namespace kwta
