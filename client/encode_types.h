// The inputs and results of encoding.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "core/tensors/codes.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/service.pb.h"

namespace kwta::client {

struct EncodeSettings {
  // Version of the model; 0 uses the version that `label` names, or "stable" without a label. A call that needs several
  // requests stays with the version that answered its first.
  uint64_t version = 0;
  // Label of the version, such as "canary", instead of a version. Later requests stay with the first version here too.
  std::string label;
  // alpha or k, and the layout of the codes on the wire.
  v1::EncodeOptions options;
  // Most rows per request. The client sends fewer if a message would exceed Options.max_message_bytes. 512 rows fill
  // two of the server's batches.
  int64_t rows_per_request = 512;
  // For EncodeStream: how many requests may be unanswered at a time.
  int max_in_flight = 4;
  // Time for the whole call; for EncodeStream, the longest wait for an answer. Options.default_deadline if not set.
  std::optional<absl::Duration> deadline;
};

// The codes of some rows.
struct EncodeResult {
  // SparseCodes for OUTPUT_MODE_SPARSE_TOPK and _CSR; a Tensor f32 [rows, units] for OUTPUT_MODE_DENSE. Without an
  // output mode the model decides: it returns a Tensor if its codes are dense, as in winner-take-all models.
  Codes codes;
  // True: the layout on the wire was OUTPUT_MODE_SPARSE_TOPK, so every row has k entries.
  bool rows_of_k = false;
  uint64_t model_version = 0;
  // Sums of queue_ns and compute_ns, and the largest batch_rows, over `requests` requests.
  v1::ServingStats stats;
  int64_t requests = 0;

  const SparseCodes& sparse() const { return std::get<SparseCodes>(codes); }
  const Tensor& dense() const { return std::get<Tensor>(codes); }
  int64_t rows() const { return CodeRows(codes); }
};

// The classifier from a model's fine-tuning. The scores of the classes are weights' z + bias for a code z.
struct Classifier {
  Tensor weights;  // f32 [units, classes]
  Tensor bias;     // f32 [classes]
};

// Reconstructed rows, f32 [rows, width].
struct ReconstructResult {
  Tensor output;
  uint64_t model_version = 0;
  v1::ServingStats stats;  // As in EncodeResult.
  int64_t requests = 0;
};

// Rows that are read piece by piece, for example from a mapped file or a gathered data set.
struct RowSource {
  int64_t rows = 0;
  int64_t width = 0;
  DType dtype = DType::kF32;
  // Returns rows begin .. begin + count - 1. The view is used until the next call. Pieces may be requested again.
  std::function<RowsView(int64_t begin, int64_t count)> read;

  // A source of all rows of `view`, which must outlive it.
  static RowSource Of(const RowsView& view);
};

}  // namespace kwta::client
