// Finds where the winners of maps can be by a product of bytes: the fast path of ConvWinners and of training.
//
// Images become bytes (exactly, if they were bytes) and filters become 8-bit integers with a scale per map. The integer
// scores of a map are within a proven bound of its activities, so the winner is among the positions whose score is
// within a margin of the best one. Those few are computed again in the fixed order of summation, and they alone decide:
// winners and values are exactly the reference's. docs/kernels/winners.md derives the bound.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/convolution_blocks.h"
#include "core/backends/onednn/winners/search/search_columns.h"
#include "core/backends/onednn/winners/search/search_groups.h"
#include "core/backends/onednn/winners/search/search_tiles.h"

namespace kwta::onednn::winners {

// The kernels of a search for one instruction set.
struct SearchKernels {
  explicit SearchKernels(simd::InstructionSet set)
      : images(ImageKernelsFor(set)), tiles(TileKernelsFor(set)), columns(ColumnKernelsFor(set)) {}

  const ImageKernels& images;
  const TileKernels& tiles;
  const ColumnKernels* columns;  // null: tiles do their work
};

class WinnerSearch {
 public:
  // False if the search cannot handle the shape or the numbers (infinite or overflowing filters).
  static bool Suits(const SearchKernels& kernels, const Convolution& convolution);

  // Copies the filters; Load takes the images one by one. REQUIRES: Suits(kernels, convolution); `context` outlives it.
  // Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<WinnerSearch> Create(support::Context& context, const SearchKernels& kernels,
                                             const Convolution& convolution);

  int64_t blocks() const { return blocks_; }

  // Copies an image [channels, height, width] into the workspace of `thread` (0 .. threads of the context's pool - 1;
  // all may run at once). Returns false if its numbers could overflow: the search cannot handle it.
  bool Load(const float* image, int thread);
  // Writes the winner of each map of blocks first .. last - 1 of the loaded image to units[maps] and values[maps]; see
  // ConvWinnersArgs.
  void FindWinners(int64_t first, int64_t last, int thread, int32_t* units, float* values);

  // The loaded image with zeros around it.
  const PaddedShape& shape() const { return shape_; }
  const float* pixels(int thread) const { return workspaces_[thread].pixels; }

 private:
  // The memory of one thread. The thread writes to it for every image and shares no cache line with another thread.
  struct alignas(128) Workspace {
    float* pixels = nullptr;  // [channels, padded height, stride] and slack, like the next three
    uint8_t* bytes = nullptr;
    uint8_t* mixed = nullptr;         // of SearchGroups
    uint32_t* stacks = nullptr;       // likewise
    float* squares = nullptr;         // of one channel
    int32_t* byte_squares = nullptr;  // likewise
    uint8_t* rows = nullptr;
    uint16_t* fields = nullptr;         // [channels, columns]
    SearchTiles tiles;                  // [positions]
    uint8_t* ends = nullptr;            // of ColumnScoreArgs
    uint64_t* words = nullptr;          // of ColumnWinnersArgs
    int32_t* slots = nullptr;           // likewise
    ColumnScores columns;               // [its MaxStretches]
    int32_t* maxima = nullptr;          // [tiles, lanes of a block]
    int32_t* stretch_maxima = nullptr;  // [stretches of tiles, lanes of a block]
    int32_t* stretches = nullptr;       // likewise and a vector
    int32_t* places = nullptr;          // [tiles, lanes of a block] and a vector
    int32_t* thresholds = nullptr;      // [lanes of a block]
    int64_t* keys = nullptr;            // [lanes of a block]
    bool sparse = false;                // the tiles' masks say which groups matter
    float step = 0;                     // of bytes
    int32_t zero = -1;                  // the byte of a zero
    float norm = 0, residual_norm = 0;  // bounds for every patch
  };

  WinnerSearch(const SearchKernels& kernels, const Convolution& convolution)
      : kernels_(kernels), convolution_(convolution) {}

  // Whether the loaded image is scored in steps of kStepGroups.
  bool InSteps(const Workspace& workspace) const { return in_steps_ && !workspace.sparse; }
  void QuantiseMap(int64_t map);
  void SetZero(int32_t zero, Workspace& workspace) const;
  // Returns whether the loaded bytes are as good as the image; if so, sets the norms.
  bool TakeLoadedBytes(float residual, Workspace& workspace) const;
  // Computes the bytes of any image, and the norms.
  void Quantise(const LoadedImage& loaded, Workspace& workspace) const;
  // Fetches ahead, because processors do so only within a page of memory and many images begin one.
  void PrefetchNext(const float* image) const;
  // Computes the thresholds of a block's lanes from their maxima.
  void FindThresholds(int64_t first_map, int64_t vectors, const int32_t* maxima, int64_t count, Workspace& w) const;
  void FindColumnWinners(Workspace& workspace, int32_t* units, float* values) const;

  const SearchKernels kernels_;
  bool columns_ = false;   // use columns for sparse images
  bool in_steps_ = false;  // the weights are those of steps of kStepGroups
  const Convolution convolution_;
  std::optional<support::ScratchPool::Lease> lease_;
  PaddedShape shape_;
  int64_t tile_positions_ = 0;
  int64_t block_lanes_ = 0;  // in every block but the last, which may have fewer
  int64_t blocks_ = 0;
  int64_t lanes_ = 0;  // of all blocks
  SearchGroups groups_;
  int8_t* weights_ = nullptr;        // [blocks, groups, vectors of the block, lanes, 4]
  uint16_t* step_starts_ = nullptr;  // [blocks, steps, vectors of the block, lanes, 2], of TileScoreArgs
  float* exact_weights_ = nullptr;   // [maps, channels, size, kFilterSize]
  float* bias_ = nullptr;            // [maps]
  // MapBounds of all lanes. of_norm_ is for images without negative pixels, of_signed_norm_ for others.
  float* of_norm_ = nullptr;
  float* of_signed_norm_ = nullptr;
  float* of_residual_ = nullptr;
  float* constant_ = nullptr;
  float* scaled_bias_ = nullptr;
  int32_t* zero_sum_ = nullptr;
  int32_t* column_starts_ = nullptr;  // of ColumnScoreArgs
  std::vector<Workspace> workspaces_;
};

}  // namespace kwta::onednn::winners
