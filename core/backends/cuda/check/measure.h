// How fast a backend does the work that docs/performance.md has bars for.
#pragma once

#include <ostream>

#include "absl/status/status.h"
#include "core/backends/backend.h"

namespace kwta::cuda {

// Prints lines `name value`:
//   cuda_encode_sae131k_rows_per_second    4,096 -> 131,072, k = 128, 4,096 rows at a time
//   cuda_train_sae131k_milliseconds        a step of that size: forward, backward and update
//   cuda_train_ksparse_rows_per_second     784-1000, k = 25, batches of 1,000 that come from the host
//   cuda_train_wta128_images_per_second    128 maps of 7 x 7 on 28 x 28 pixels, batches of 100 from the host, with Adam
//   paper_run_seconds                      5,000 epochs of 60,000 rows of 784-1000, from the time of 40 of them
// Medians of several runs. Takes a device less than three minutes and 20 GB of its memory, and the host 6 GB. The
// first error.
absl::Status MeasureBackend(Backend& backend, std::ostream& out);

}  // namespace kwta::cuda
