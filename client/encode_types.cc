#include "client/encode_types.h"

namespace kwta::client {

RowSource RowSource::Of(const RowsView& view) {
  return {view.rows, view.width, view.dtype, [view](int64_t begin, int64_t count) { return view.Slice(begin, count); }};
}

}  // namespace kwta::client
