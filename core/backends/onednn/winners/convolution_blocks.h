// A batch of images and a set of filters, prepared for the kernels of convolution_rows.h.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/convolution_rows.h"
#include "core/backends/winner_args.h"

namespace kwta::onednn::winners {

// A convolution of a call's images.
struct Convolution {
  const float* filters = nullptr;  // [maps, channels, size, size]
  const float* bias = nullptr;     // [maps]
  int64_t maps = 0, size = 0;
  ImageBatch images;
  const float* x = nullptr;  // [rows, channels, height, width]
};

// True if every filter is finite. Otherwise products with zero pixels must not be skipped, and the reference's loops
// must convolve with these filters. Only a diverged training run has such filters.
bool FiltersAreFinite(const Convolution& convolution);

// Filters in blocks of `kernels.lanes` maps, and memory for each thread to compute a row of a block. Thread-safe if
// every thread uses only its own workspace.
class ConvolutionBlocks {
 public:
  // The memory of one thread.
  struct Workspace {
    ColumnPixel* pixels = nullptr;  // [channels, width, height]; each column fills a part
    int32_t* starts = nullptr;      // [channels, height + 1, width]: the first pixel of its column from row y on
    std::vector<RowVisits> rows;    // [height]
    ConvolutionRowArgs row;
    float* own = nullptr;  // [own_floats], the caller's, aligned to 64 bytes
  };

  // Copies the filters and biases. `own_floats`: see Workspace. REQUIRES: `context`, `kernels` and the arrays of
  // `convolution` outlive it; the filters are finite. Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<ConvolutionBlocks> Create(support::Context& context, const ConvolutionRowKernels& kernels,
                                                  const Convolution& convolution, int64_t own_floats);

  int64_t blocks() const { return blocks_; }
  int64_t lanes() const { return kernels_.lanes; }

  // Calls body(image, first block, last block, workspace) on the context's threads, for every block (to last - 1) of
  // every image, with the image loaded into the workspace. `whole`: each call gets all blocks of an image.
  void ForEachImage(bool whole, const std::function<void(int64_t, int64_t, int64_t, Workspace&)>& body);

  // Calls sink(y, z) for every row of the loaded image in a block of maps; z[width, lanes] is valid during the call.
  template <typename Sink>
  void ForEachRow(int64_t block, Workspace& workspace, const Sink& sink) const {
    ConvolutionRowArgs& row = workspace.row;
    row.filters = filters_ + block * filter_floats_;
    row.bias = bias_ + block * kernels_.lanes;
    for (row.y = 0; row.y < convolution_.images.height; ++row.y) {
      row.visits = workspace.rows[row.y];
      kernels_.row(row);
      sink(row.y, row.z);
    }
  }

 private:
  ConvolutionBlocks(support::Context& context, const ConvolutionRowKernels& kernels, const Convolution& convolution,
                    support::ScratchPool::Lease lease)
      : context_(context), kernels_(kernels), convolution_(convolution), lease_(std::move(lease)) {}

  void PackBlock(int64_t block);
  void Load(const float* image, Workspace& workspace) const;

  support::Context& context_;
  const ConvolutionRowKernels& kernels_;
  const Convolution convolution_;
  support::ScratchPool::Lease lease_;
  int64_t blocks_ = 0;
  int64_t filter_floats_ = 0;  // of a block
  float* filters_ = nullptr;   // [blocks, channels, dy, dx, lanes]; maps beyond the last are zeros
  float* bias_ = nullptr;      // [blocks, lanes]
  std::vector<Workspace> workspaces_;
};

}  // namespace kwta::onednn::winners
