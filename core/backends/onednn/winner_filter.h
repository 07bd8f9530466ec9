// Where the winners of maps can be, by a product of bytes: the fast path of ConvWinners.
//
// Images become bytes (exactly, if they were bytes) and filters 8-bit integers with a scale for each map. The integer
// scores of a map are within a proven bound of its activities, the same for all positions of an image, so that the
// winner is among the positions whose score is within twice the bound of the best one. Those few are computed again in
// the fixed order of summation, and they alone decide: winners and values are exactly the reference's.
// docs/kernels.md derives the bound.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/onednn/context.h"
#include "core/backends/onednn/convolution_blocks.h"
#include "core/backends/onednn/winner_filter_kernels.h"

namespace kwta {

class WinnerFilter {
 public:
  // The function for a number of vectors: VnniFilterScores or EmulatedFilterScores.
  using ScoresFor = FilterScoreFunction (*)(int64_t vectors);

  // False if the shape or the numbers (overflowing norms) are not for the filter.
  static bool Suits(const Convolution& convolution);

  // REQUIRES: Suits(convolution); `context` and the arrays of `convolution` outlive it. Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<WinnerFilter> Create(OnednnContext& context, const FilterImageKernels& kernels,
                                             ScoresFor scores_for, const Convolution& convolution);

  // The winner of each map of every image, to units[rows, maps] and values[rows, maps]; see ConvWinnersArgs.
  void FindWinners(int32_t* units, float* values);

 private:
  // Positions of an image in the order in which they are scored, and memory for one block's candidates.
  struct Workspace {
    float* pixels = nullptr;             // [channels, padded height, stride]
    uint8_t* bytes = nullptr;            // likewise
    float* squares = nullptr;            // [padded height, stride]
    float* residuals = nullptr;          // likewise
    uint8_t* occupied = nullptr;         // [width]
    uint64_t* masks = nullptr;           // [positions]
    uint8_t* counts = nullptr;           // [positions]
    uint64_t* sorted_masks = nullptr;    // [positions]
    int32_t* patches = nullptr;          // [positions]
    int32_t* margins = nullptr;          // [kFilterVectors, kFilterLanes]
    int32_t* thresholds = nullptr;       // likewise
    int32_t* scores = nullptr;           // [positions * kFilterVectors * kFilterLanes + kFilterLanes]
    int32_t* places = nullptr;           // likewise
    int64_t count = 0;                   // of positions in patches and sorted_masks
    bool sparse = false;                 // sorted_masks says which groups matter
    double step = 0;                     // of bytes
    int32_t zero = 0;                    // the byte of a zero
    double norm = 0, residual_norm = 0;  // bounds for every patch
  };
  // A map's filter in integers.
  struct Map {
    double step = 1;
    double norm = 0, residual_norm = 0;
    int32_t sum = 0;
  };

  WinnerFilter(OnednnContext& context, const FilterImageKernels& kernels, const Convolution& convolution,
               ScratchPool::Lease lease)
      : context_(context), kernels_(kernels), convolution_(convolution), lease_(std::move(lease)) {}

  void QuantiseMap(int64_t map);
  void Load(const float* image, Workspace& workspace) const;
  void SortPositions(Workspace& workspace) const;
  void BlockWinners(int64_t block, Workspace& workspace, int32_t* units, float* values) const;

  OnednnContext& context_;
  const FilterImageKernels& kernels_;
  const Convolution convolution_;
  ScratchPool::Lease lease_;
  int64_t groups_of_row_ = 0, groups_ = 0;
  int64_t stride_ = 0, padded_height_ = 0;  // of padded images, in pixels
  bool bytes_from_zero_ = false;  // no pixel of the batch is negative: zero is byte 0, the step is the batch's
  float batch_largest_ = 0;
  int64_t blocks_ = 0;
  ScoresFor scores_for_ = nullptr;
  std::vector<int32_t> offsets_;  // [groups]
  std::vector<Map> maps_;
  int8_t* weights_ = nullptr;       // [blocks, groups, vectors of the block, lanes, 4]
  float* exact_weights_ = nullptr;  // [maps, channels, size, 8]
  std::vector<Workspace> workspaces_;
};

}  // namespace kwta
