// What goes into encoding, and what comes out of it.
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
  // Version of the model; 0 takes the one that the label names, "stable" without one. A call that needs several
  // requests stays with the version that answered its first.
  uint64_t version = 0;
  // Label of the version, such as "canary", instead; the same holds.
  std::string label;
  // alpha or k, and the layout of the codes on the wire.
  v1::EncodeOptions options;
  // Most rows a request. Fewer are sent where a message would pass Options.max_message_bytes. 512 rows fill two of the
  // server's batches.
  int64_t rows_per_request = 512;
  // EncodeStream only: requests that may be unanswered at a time.
  int max_in_flight = 4;
  // Time for the whole call, or for EncodeStream the longest wait for an answer; Options.default_deadline if not set.
  std::optional<absl::Duration> deadline;
};

// Codes of some rows.
struct EncodeResult {
  // SparseCodes for OUTPUT_MODE_SPARSE_TOPK and _CSR, a Tensor f32 [rows, units] for OUTPUT_MODE_DENSE. Without an
  // output mode the model decides: a Tensor if its codes are dense, as those of winner-take-all models are.
  Codes codes;
  uint64_t model_version = 0;
  // Sums of queue_ns and compute_ns and the largest batch_rows, over `requests` requests.
  v1::ServingStats stats;
  int64_t requests = 0;

  const SparseCodes& sparse() const { return std::get<SparseCodes>(codes); }
  const Tensor& dense() const { return std::get<Tensor>(codes); }
  int64_t rows() const { return CodeRows(codes); }
};

// The classifier that a fine-tuned model was tuned with: the scores of the classes are weights' z + bias for a code z.
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

// Rows that are read piece by piece, such as a mapped file or a gathered data set.
struct RowSource {
  int64_t rows = 0;
  int64_t width = 0;
  DType dtype = DType::kF32;
  // Rows begin .. begin + count - 1. The view is used until the next call; pieces may be asked for again.
  std::function<RowsView(int64_t begin, int64_t count)> read;

  // All of `view`, which must outlive the source.
  static RowSource Of(const RowsView& view);
};

}  // namespace kwta::client
