// Pictures of what a model's units have learnt.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/arrays/safetensors_reader.h"
#include "core/io/images/png.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta::server {

// The picture of a unit is what the decoder adds to a reconstruction for an activity of 1: the atom of a k-sparse unit,
// the decoder's filter of a winner-take-all map. A unit of a higher layer of a stack is projected down: its decoder's
// weights are activities of the layer below. Only the kStrongest of these, by magnitude, are followed, so that a
// picture costs the same whatever the size of the layers. Pooled maps are projected from the middle of each pooling
// window.
//
// Parameters are read from the bundle as needed: nothing large stays in memory. Thread-safe.
class UnitPictures {
 public:
  static constexpr int64_t kStrongest = 512;
  // How many pictures one call draws at most.
  static constexpr int64_t kMost = 512;

  // Opens the bundle at `directory`, whose description is `model`. Errors: those of SafetensorsReader::Open; DATA_LOSS
  // (tensors that do not fit the description, links); UNIMPLEMENTED (a kind of layer that has no picture).
  static absl::StatusOr<std::shared_ptr<const UnitPictures>> Open(const std::string& directory,
                                                                  const v1::ModelDescription& model);

  // The number of units, or of maps; of one view, if views are separated.
  int64_t count() const { return layers_.back().count; }
  // Pictures show units of a higher layer.
  bool projected() const { return layers_.size() > 1; }
  // The extents of each picture, [1 or 3, height, width].
  const Shape& shape() const { return shape_; }

  // Draws the units into one picture, `columns` in a line, without gaps, each scaled by itself: its smallest element is
  // black and its largest white. Errors: INVALID_ARGUMENT (no units, more than kMost, a unit that is not there); those
  // of reading. REQUIRES: columns is at least 1.
  absl::StatusOr<Image> Draw(const std::vector<int64_t>& units, int64_t columns) const;

 private:
  struct Layer {
    bool maps = false;                          // its units are maps
    const SafetensorsEntry* filters = nullptr;  // [count, ...]
    int64_t count = 0;
    int64_t stride = 1;  // of pooling, in input pixels
    Shape input;         // of an input row, [channels, height, width]
    Shape filter;        // of a unit's filter: the input, or [channels, size, size]
  };
  // Values in the space of a layer's input: a whole row, or for maps a patch of it.
  struct Plane {
    Shape shape;  // [channels, height, width]
    std::vector<float> values;
  };
  // Filters of lower layers that were read already, by layer and unit.
  using Filters = std::unordered_map<int64_t, std::vector<float>>;

  explicit UnitPictures(SafetensorsReader reader) : reader_(std::move(reader)) {}
  absl::Status AddLayer(const v1::EncoderSpec& spec, const std::string& prefix, const Shape& input);
  absl::StatusOr<std::vector<float>> FilterOf(const Layer& layer, int64_t unit) const;
  absl::StatusOr<const std::vector<float>*> LowerFilter(size_t layer, int64_t unit, Filters* read) const;
  Shape ShapeBelow(size_t layer, const Shape& plane) const;
  // Projects activities of `layer` to its input.
  absl::StatusOr<Plane> Project(size_t layer, const Plane& activities, Filters* read) const;

  const SafetensorsReader reader_;
  std::vector<Layer> layers_;  // lowest first
  Shape shape_;
  Shape drawn_;  // of the plane that is drawn; shape_ is ShownShape of it
};

}  // namespace kwta::server
