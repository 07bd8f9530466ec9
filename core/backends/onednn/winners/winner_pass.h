// WinnerPass of the oneDNN backend. One loop over the threads encodes and decodes each image and adds to the gradients
// while the image is in the innermost cache.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/pass_kernels.h"
#include "core/backends/onednn/winners/patch_kernels.h"
#include "core/backends/onednn/winners/search/winner_search.h"
#include "core/backends/winner_args.h"

namespace kwta::onednn::winners {

// One call. It cuts the batch into chunks of consecutive rows. One thread handles a chunk, with gradients of its own,
// which are then summed in the order of the chunks. The number of chunks depends on the batch and the filters alone.
class WinnerPassCall {
 public:
  // True if a WinnerSearch can find the winners, and filters are few and small enough for chunks.
  static bool Suits(const support::Context& context, const WinnerPassArgs& args);

  // REQUIRES: Suits(context, args), and all of them outlive it.
  WinnerPassCall(support::Context& context, const PatchKernels& kernels, const WinnerPassArgs& args);

  // Returns false, with useless output, if the search cannot handle the numbers of an image.
  absl::StatusOr<bool> Run();

 private:
  // A chunk's sums: its gradients, its squared error and the residuals of each channel.
  struct Chunk {
    ChunkGradients gradients;
    double* channel_sums = nullptr;
    double squared_error = 0;
  };
  // The memory of one thread.
  struct Workspace {
    ResidualImage residual;
    PlacedImage placed;  // the same memory, as PatchKernels see it
  };

  absl::Status Allocate();
  void SpreadDecoder();
  bool RunChunk(int64_t chunk, int thread, WinnerSearch& search);
  void AddUpChunks();

  support::Context& context_;
  const PatchKernels& kernels_;
  const PassKernels& pass_kernels_;
  const WinnerPassArgs& args_;
  const ImageBatch& images_;
  const bool tied_;
  const int64_t encoder_rows_, decoder_rows_;  // of a map's filter
  std::optional<support::ScratchPool::Lease> lease_;
  PlacedFilters filters_;
  float* spread_rows_ = nullptr;   // of filters_
  float* chunk_floats_ = nullptr;  // [chunks, chunk_stride_]: gradients of the encoder, then of the decoder
  int64_t chunk_stride_ = 0;
  std::vector<Chunk> chunks_;
  std::vector<Workspace> workspaces_;
};

}  // namespace kwta::onednn::winners
