#include "core/backends/onednn/winners/search/search_groups.h"

#include <algorithm>
#include <cstring>

namespace kwta::onednn::winners {

SearchGroups::SearchGroups(const PaddedShape& shape, bool may_mix) : shape_(shape) {
  const int64_t channels = shape.channels, size = shape.size, row_bytes = size * channels;
  const bool stacks = row_bytes % 4 == 1;
  const int64_t groups_of_row = stacks ? row_bytes / 4 : DivideUp(row_bytes, 4);
  mixed_ = may_mix && size * groups_of_row + (stacks ? DivideUp(size, 4) : 0) < shape.groups();
  const auto add = [this](int64_t offset, const auto& element) {
    offsets_.push_back(static_cast<int32_t>(offset));
    for (int64_t b = 0; b < 4; ++b) elements_.push_back(static_cast<int32_t>(element(b)));
  };
  if (!mixed_) {
    for (int64_t row = 0; row < channels * size; ++row) {
      const int64_t offset = row / size * shape.plane() + row % size * shape.stride();
      for (int64_t first = 0; first < size; first += 4) {
        add(offset + first, [&](int64_t b) { return first + b < size ? row * size + first + b : -1; });
      }
    }
    row_groups_ = count();
    return;
  }
  for (int64_t dy = 0; dy < size; ++dy) {
    for (int64_t group = 0; group < groups_of_row; ++group) {
      add(dy * shape.stride() * channels + 4 * group, [&](int64_t b) {
        const int64_t at = 4 * group + b;
        return at < row_bytes ? (at % channels * size + dy) * size + at / channels : -1;
      });
    }
  }
  row_groups_ = count();
  for (int64_t dy = 0; stacks && dy < size; dy += 4) {
    add(dy * shape.stride() * 4,
        [&](int64_t b) { return dy + b < size ? ((channels - 1) * size + dy + b) * size + size - 1 : -1; });
  }
}

simd::LargestSums SearchGroups::FindLargestSums(const float* filter) const {
  simd::LargestSums largest;
  float step[2] = {};  // of the first two weights of groups, and of the last two
  for (int64_t group = 0; group < count(); ++group) {
    const int64_t of_kind = group < row_groups_ ? group : group - row_groups_;
    if (of_kind % kStepGroups == 0) step[0] = step[1] = 0;
    for (int half = 0; half < 2; ++half) {
      float positive = 0, negative = 0;
      for (int b = 2 * half; b < 2 * half + 2; ++b) {
        const int32_t element = elements_[group * 4 + b];
        const float weight = element < 0 ? 0 : filter[element];
        positive += std::max(weight, 0.0f);
        negative += std::max(-weight, 0.0f);
      }
      step[half] += positive + negative;
      largest.pair = std::max({largest.pair, positive, negative});
      largest.step = std::max(largest.step, step[half]);
    }
  }
  return largest;
}

void SearchGroups::Arrange(const int8_t* plain, int64_t stride, int8_t* weights) const {
  for (int64_t group = 0; group < count(); ++group) {
    for (int64_t b = 0; b < 4; ++b) {
      const int32_t element = elements_[group * 4 + b];
      if (element < 0) continue;  // it stays zero
      const int64_t row = element / shape_.size, dx = element % shape_.size;
      weights[group * stride + b] = plain[row * shape_.groups_of_row() * 4 + dx];
    }
  }
}

void SearchGroups::SetStepStarts(const int8_t* weights, int64_t stride, int64_t lanes, uint16_t* starts) const {
  int64_t group = 0;
  for (const int64_t end_of_kind : {row_groups_, count()}) {
    while (group < end_of_kind) {
      const int64_t end = std::min(group + kStepGroups, end_of_kind);
      int32_t sums[2] = {};
      for (; group < end; ++group) {
        for (int b = 0; b < 4; ++b) sums[b / 2] += weights[group * stride + b];
      }
      for (int half = 0; half < 2; ++half) starts[half] = static_cast<uint16_t>(-simd::kMiddleByte * sums[half]);
      starts += lanes * 2;
    }
  }
}

void SearchGroups::Mix(const uint8_t* bytes, uint8_t* mixed, uint32_t* stacks) const {
  const int64_t channels = shape_.channels, plane = shape_.plane(), stride = shape_.stride();
  if (channels == 3) {
    // Each store writes the first byte of the next pixel, too.
    for (int64_t i = 0; i < plane; ++i) {
      const uint32_t pixel =
          uint32_t{bytes[i]} | uint32_t{bytes[plane + i]} << 8 | uint32_t{bytes[2 * plane + i]} << 16;
      std::memcpy(mixed + 3 * i, &pixel, sizeof(pixel));
    }
  } else {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t i = 0; i < plane; ++i) mixed[i * channels + c] = bytes[c * plane + i];
    }
  }
  if (row_groups_ == count()) return;
  const uint8_t* const last_column = bytes + (channels - 1) * plane + shape_.size - 1;
  const int64_t last_row = shape_.padded_height() - 1;
  for (int64_t y = 0; y <= last_row; ++y) {
    const uint8_t* rows[4];
    for (int64_t b = 0; b < 4; ++b) rows[b] = last_column + std::min(y + b, last_row) * stride;
    for (int64_t x = 0; x < stride; ++x) {
      stacks[y * stride + x] =
          uint32_t{rows[0][x]} | uint32_t{rows[1][x]} << 8 | uint32_t{rows[2][x]} << 16 | uint32_t{rows[3][x]} << 24;
    }
  }
}

void SearchGroups::Describe(const uint8_t* bytes, const uint32_t* stacks, TileScoreArgs* args) const {
  args->bytes = bytes;
  args->pixel_bytes = mixed_ ? shape_.channels : 1;
  args->stacks = reinterpret_cast<const uint8_t*>(stacks);
  args->stride = shape_.stride();
  args->offsets = offsets_.data();
  args->row_groups = row_groups_;
  args->groups = count();
}

}  // namespace kwta::onednn::winners
