// Products of feature rows with the weights of a linear classifier.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "core/evaluation/feature_rows.h"
#include "core/evaluation/probe_kernels.h"

namespace kwta {

// Features as the classifier sees them: (x - shift) * factor, element by element.
struct FeatureTransform {
  std::vector<float> shift;   // [width]; empty if every shift is zero and every factor is `scale`
  std::vector<float> factor;  // [width]; empty with shift
  float scale = 1;
};

// Reads features row by row, by their entries, or in blocks if they are dense or the transform makes them so.
// Not thread-safe. What it was made from must outlive it.
class FeatureProducts {
 public:
  virtual ~FeatureProducts() = default;

  // sums[rows.size(), lanes] = x weights for the transformed rows x, with dropout of their elements.
  virtual void Multiply(absl::Span<const uint32_t> rows, const float* weights, const ProbeDropout& dropout,
                        float* sums) = 0;
  // gradient[width, lanes] += x' p, for the x of the last Multiply and p[rows.size(), lanes].
  virtual void AddTransposed(const float* p, float* gradient) = 0;
};

// lanes is a multiple of kProbeLanes.
std::unique_ptr<FeatureProducts> MakeFeatureProducts(const FeatureRows& features, const FeatureTransform& transform,
                                                     int lanes);

// The transform by what is asked for, measured on the rows `which`. Features then have rows of root mean square length
// 1, so that one learning rate and one grid of l2 suit codes, pixels and maps alike.
enum class FeatureScaling {
  kAsTheyAre,     // one factor for all
  kCentred,       // less their means, one factor for all
  kStandardised,  // less their means, divided by their standard deviations (a floor is added, a tenth of the root mean
                  // square of all of them, so that features that hardly vary do not become noise)
};
FeatureTransform FitTransform(const FeatureRows& features, absl::Span<const uint32_t> which, FeatureScaling scaling);

}  // namespace kwta
