// Images and filters for the conformance tests of winner-take-all operations.
#pragma once

#include <ostream>
#include <vector>

#include "core/backends/winner_args.h"
#include "tests/core/backends/conformance.h"

namespace kwta {

struct WinnerShape {
  ImageBatch images;
  int64_t maps, size;
};

inline std::ostream& operator<<(std::ostream& out, const WinnerShape& s) {
  return out << s.images.rows << " x " << s.images.channels << " x " << s.images.height << " x " << s.images.width
             << ", " << s.maps << " maps, size " << s.size;
}

// One pixel, no rows, one row or column, odd and even, filters wider than half the image and as wide as it, several
// channels, more maps than a vector has lanes, the papers' shapes.
inline std::vector<WinnerShape> WinnerShapes() {
  return {{{1, 1, 1, 1}, 1, 1},   {{0, 1, 5, 5}, 2, 3},    {{3, 1, 1, 17}, 2, 1},  {{2, 1, 17, 3}, 3, 3},
          {{3, 1, 28, 28}, 5, 7}, {{2, 3, 9, 11}, 4, 4},   {{2, 2, 6, 7}, 3, 2},   {{1, 1, 8, 8}, 3, 8},
          {{2, 1, 7, 5}, 3, 5},   {{2, 4, 13, 13}, 7, 11}, {{1, 3, 32, 32}, 3, 9}, {{2, 5, 10, 10}, 33, 5},
          {{5, 1, 4, 4}, 17, 3}};
}

struct WinnerProblem {
  ImageBatch images;
  int64_t maps, size;
  std::vector<float> filters, bias, x;
  WinnerScope scope = WinnerScope::kEachMap;
  int64_t winners = 1;

  WinnerShape shape() const { return {images, maps, size}; }
  int64_t entries() const { return scope == WinnerScope::kEachMap ? maps * winners : winners; }
};

// Many pixels are zero, as in images of strokes.
inline WinnerProblem RandomWinnerProblem(const WinnerShape& s, uint64_t seed = 1) {
  WinnerProblem problem{s.images,
                        s.maps,
                        s.size,
                        Gaussians(s.maps * s.images.channels * s.size * s.size, seed, 0.2),
                        Gaussians(s.maps, seed + 1, 0.1),
                        Gaussians(s.images.rows * s.images.elements(), seed + 2)};
  for (float& pixel : problem.x) pixel = pixel > 0 ? pixel : 0;
  return problem;
}

inline Codes RunConvWinners(Backend& backend, const WinnerProblem& problem) {
  Floats filters(backend, problem.filters), bias(backend, problem.bias), x(backend, problem.x);
  const std::vector<int32_t> nobody(problem.images.rows * problem.entries(), -7);
  Ints units(backend, nobody);
  Floats values(backend, std::vector<float>(nobody.size(), -7.0f));
  ConvWinnersArgs args;
  args.filters = filters.data();
  args.bias = bias.data();
  args.maps = problem.maps;
  args.size = problem.size;
  args.images = problem.images;
  args.x = x.data();
  args.scope = problem.scope;
  args.winners = problem.winners;
  args.units = units.data();
  args.values = values.data();
  EXPECT_EQ(backend.ConvWinners(args), absl::OkStatus());
  return {units.Read(), values.Read()};
}

inline std::vector<float> RunConvPool(Backend& backend, const WinnerProblem& problem, const Pooling& pooling) {
  Floats filters(backend, problem.filters), bias(backend, problem.bias), x(backend, problem.x);
  Floats output(backend, std::vector<float>(problem.images.rows * problem.maps * pooling.Extent(problem.images.height) *
                                                pooling.Extent(problem.images.width),
                                            -7.0f));
  ConvPoolArgs args;
  args.filters = filters.data();
  args.bias = bias.data();
  args.maps = problem.maps;
  args.size = problem.size;
  args.images = problem.images;
  args.x = x.data();
  args.pooling = pooling;
  args.output = output.data();
  EXPECT_EQ(backend.ConvPool(args), absl::OkStatus());
  return output.Read();
}

}  // namespace kwta
