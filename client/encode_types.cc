#include "client/encode_types.h"

namespace kwta::client {

int64_t EncodeResult::rows() const {
  if (const auto* sparse_codes = std::get_if<SparseCodes>(&codes)) return sparse_codes->rows();
  return dense().shape()[0];
}

RowSource RowSource::Of(const RowsView& view) {
  return {view.rows, view.width, view.dtype, [view](int64_t begin, int64_t count) { return view.Slice(begin, count); }};
}

}  // namespace kwta::client
