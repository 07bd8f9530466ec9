// Labelled rows to train probes on.
#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include "core/base/rng.h"
#include "core/tensors/sparse_codes.h"

namespace kwta {

// Rows as codes, zeros left out.
inline SparseCodes ToCodes(const std::vector<std::vector<float>>& rows) {
  SparseCodes codes;
  codes.units = static_cast<int64_t>(rows.front().size());
  for (const auto& row : rows) {
    for (size_t h = 0; h < row.size(); ++h) {
      if (row[h] == 0) continue;
      codes.indices.push_back(static_cast<int32_t>(h));
      codes.values.push_back(row[h]);
    }
    codes.row_offsets.push_back(codes.entries());
  }
  return codes;
}

inline std::vector<uint32_t> AllRows(int64_t rows) {
  std::vector<uint32_t> all(rows);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

// `rows` points around `classes` centres in 6 dimensions, about a third of the coordinates zero.
struct Blobs {
  Blobs(int64_t rows, int classes, double spread, uint64_t seed) {
    Rng rng(seed);
    Rng centre_rng(77);
    std::vector<double> centres(classes * 6);
    for (double& centre : centres) centre = centre_rng.Gaussian();
    for (int64_t i = 0; i < rows; ++i) {
      labels.push_back(static_cast<int32_t>(rng.UniformBelow(classes)));
      points.emplace_back(6);
      for (int d = 0; d < 6; ++d) {
        const double noise = spread * rng.Gaussian();
        points[i][d] = rng.UniformBelow(3) == 0 ? 0.0f : static_cast<float>(centres[labels[i] * 6 + d] + noise);
      }
    }
    codes = ToCodes(points);
  }
  std::vector<std::vector<float>> points;
  std::vector<int32_t> labels;
  SparseCodes codes;
};

}  // namespace kwta
