// Products of feature rows with the weights of a linear classifier.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "core/evaluation/feature_rows.h"
#include "core/evaluation/probe_kernels.h"

namespace kwta {

// The transform from stored features to the classifier's: (x - shift) * factor, element by element.
struct FeatureTransform {
  std::vector<float> shift;   // [width]; empty if every shift is zero and every factor is `scale`
  std::vector<float> factor;  // [width]; empty with shift
  float scale = 1;
};

// Reads the entries of each row, or blocks of rows if the features are dense or the transform makes them dense. Not
// thread-safe. The constructor's arguments must outlive it.
class FeatureProducts {
 public:
  virtual ~FeatureProducts() = default;

  // Computes sums[rows.size(), lanes] = x weights for the transformed rows x, with dropout of their elements.
  virtual void Multiply(absl::Span<const uint32_t> rows, const float* weights, const ProbeDropout& dropout,
                        float* sums) = 0;
  // Computes gradient[width, lanes] += x' p, for the x of the last Multiply and p[rows.size(), lanes].
  virtual void AddTransposed(const float* p, float* gradient) = 0;
};

// REQUIRES: lanes is a multiple of kProbeLanes.
std::unique_ptr<FeatureProducts> MakeFeatureProducts(const FeatureRows& features, const FeatureTransform& transform,
                                                     int lanes);

// How features are scaled, measured on the rows `which`. Scaled rows have a root mean square length of 1, so that one
// learning rate and one grid of l2 suit codes, pixels and maps.
enum class FeatureScaling {
  kAsTheyAre,     // one factor for all
  kCentred,       // minus their means, one factor for all
  kStandardised,  // minus their means, divided by their standard deviations plus a floor: a tenth of the root mean
                  // square of all of them, so that features that hardly vary do not become noise
};
FeatureTransform FitTransform(const FeatureRows& features, absl::Span<const uint32_t> which, FeatureScaling scaling);

}  // namespace kwta
