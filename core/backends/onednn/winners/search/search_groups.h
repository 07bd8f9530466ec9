// Which bytes of a patch form the groups that the search for winners (winner_search.h) multiplies, and where images
// have them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backends/onednn/winners/search/search_images.h"
#include "core/backends/onednn/winners/search/search_tiles.h"
#include "core/base/divide_up.h"
#include "core/simd/sums_in_16_bits.h"

namespace kwta::onednn::winners {

// Plain groups are four neighbours in a row of one channel. Every row of a filter has weights of zero behind it, up to
// whole groups. Mixed groups have channels side by side: a row of a filter is one stretch of bytes. A last byte that
// fills no group of the row is in a group with those of the next three rows. 3 x 7 x 7 has 42 plain groups and 37 mixed
// ones. Thread-safe once constructed.
class SearchGroups {
 public:
  SearchGroups() = default;
  // Chooses plain groups if all images need them, or if mixed ones are no fewer.
  SearchGroups(const PaddedShape& shape, bool may_mix);

  int64_t count() const { return static_cast<int64_t>(elements_.size()) / 4; }
  bool mixed() const { return mixed_; }
  // Steps of kStepGroups groups, or fewer. No step has groups of rows and of stacks.
  int64_t steps() const { return DivideUp(row_groups_, kStepGroups) + DivideUp(count() - row_groups_, kStepGroups); }

  simd::LargestSums FindLargestSums(const float* filter) const;
  // Moves the weights of a map, which quantise_filter wrote as plain groups next to each other, to
  // weights[group * stride ..].
  void Arrange(const int8_t* plain, int64_t stride, int8_t* weights) const;
  // Computes TileScoreArgs::step_starts of a map from its weights: a pair for each step, `lanes` pairs apart.
  void SetStepStarts(const int8_t* weights, int64_t stride, int64_t lanes, uint16_t* starts) const;

  // Elements of the arrays of a mixed image, with slack; 0 if !mixed().
  int64_t MixedBytes() const { return mixed_ ? shape_.channels * shape_.plane() + kImageSlack : 0; }
  int64_t StackedPixels() const { return row_groups_ < count() ? shape_.plane() : 0; }
  // Copies an image's bytes [channels, padded_height, stride]. REQUIRES: mixed().
  void Mix(const uint8_t* bytes, uint8_t* mixed, uint32_t* stacks) const;
  // Sets what TileScoreArgs says of groups. bytes are of a mixed image if mixed().
  void Describe(const uint8_t* bytes, const uint32_t* stacks, TileScoreArgs* args) const;

 private:
  PaddedShape shape_;
  bool mixed_ = false;
  int64_t row_groups_ = 0;
  std::vector<int32_t> offsets_;   // [groups], of TileScoreArgs
  std::vector<int32_t> elements_;  // [groups, 4]: of the filter [channels, size, size], or -1
};

}  // namespace kwta::onednn::winners
