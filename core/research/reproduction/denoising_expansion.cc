#include "core/research/reproduction/denoising_expansion.h"

#include <cmath>

#include "core/base/rng.h"

namespace kwta {
namespace {

using Row = std::vector<double>;

double ProductOf(const float* atom, const double* row, int64_t width) {
  double sum = 0;
  for (int64_t d = 0; d < width; ++d) sum += atom[d] * row[d];
  return sum;
}

// y - x for the pre-activations a.
Row ResidualOf(const ExpandedAutoencoder& model, const Row& a, const float* x) {
  Row residual(model.decoder_bias, model.decoder_bias + model.width);
  for (int64_t j = 0; j < model.units; ++j) {
    const double h = ActivationAt(model.activation, a[j]).value;
    if (h == 0) continue;
    for (int64_t d = 0; d < model.width; ++d) residual[d] += h * model.atoms[j * model.width + d];
  }
  for (int64_t d = 0; d < model.width; ++d) residual[d] -= x[d];
  return residual;
}

double SquaredLength(const Row& row) {
  double sum = 0;
  for (const double each : row) sum += each * each;
  return sum;
}

// W v for each unit, plus b if asked for.
Row TimesAtomsOf(const ExpandedAutoencoder& model, const double* v, bool with_bias) {
  Row products(model.units);
  for (int64_t j = 0; j < model.units; ++j) {
    products[j] = ProductOf(model.atoms + j * model.width, v, model.width) + (with_bias ? model.bias[j] : 0);
  }
  return products;
}

// The mean over the rows of row_value(row, its pre-activations), summed in order.
template <typename Sums>
Row MeanOverRows(const ExpandedAutoencoder& model, size_t values, ThreadPool& pool, const Sums& row_values) {
  std::vector<Row> of_rows(model.rows);
  pool.ParallelFor(model.rows, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* const x = model.x + i * model.width;
      const Row wide(x, x + model.width);
      of_rows[i] = row_values(i, x, TimesAtomsOf(model, wide.data(), true));
    }
  });
  Row mean(values);
  for (const Row& row : of_rows) {
    for (size_t v = 0; v < values; ++v) mean[v] += row[v] / static_cast<double>(model.rows);
  }
  return mean;
}

}  // namespace

double DenoisingBracket(const ExpandedAutoencoder& model, ThreadPool& pool) {
  // The atoms' inner products, whose squares the first two terms weigh by slopes.
  std::vector<double> squared_products(model.units * model.units);
  pool.ParallelFor(model.units, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t j = begin; j < end; ++j) {
      const Row atom(model.atoms + j * model.width, model.atoms + (j + 1) * model.width);
      for (int64_t k = 0; k < model.units; ++k) {
        const double product = ProductOf(model.atoms + k * model.width, atom.data(), model.width);
        squared_products[j * model.units + k] = product * product;
      }
    }
  });
  return MeanOverRows(model, 1, pool, [&](int64_t, const float* x, const Row& a) {
    const Row residual = ResidualOf(model, a, x);
    double sum = 0;
    for (int64_t j = 0; j < model.units; ++j) {
      const ActivationPoint<double> point = ActivationAt(model.activation, a[j]);
      if (point.slope != 0) {
        const double* const products = squared_products.data() + j * model.units;
        for (int64_t k = 0; k < model.units; ++k) {
          sum += point.slope * ActivationAt(model.activation, a[k]).slope * products[k];
        }
      }
      // sum_i W^i * W^i at unit j is its squared length.
      const double length2 = std::sqrt(squared_products[j * model.units + j]);
      sum += point.curvature * length2 * ProductOf(model.atoms + j * model.width, residual.data(), model.width);
    }
    return Row{sum};
  })[0];
}

std::vector<double> DenoisingExcess(const ExpandedAutoencoder& model, const std::vector<double>& variances,
                                    int64_t samples, uint64_t seed, ThreadPool& pool) {
  return MeanOverRows(model, variances.size(), pool, [&](int64_t i, const float* x, const Row& a) {
    const double clean = SquaredLength(ResidualOf(model, a, x));
    Rng rng(seed, static_cast<uint64_t>(i));
    Row excess(variances.size()), direction(model.width), moved(model.units);
    for (int64_t s = 0; s < samples; ++s) {
      for (double& each : direction) each = rng.Gaussian();
      const Row along = TimesAtomsOf(model, direction.data(), false);
      for (size_t v = 0; v < variances.size(); ++v) {
        const double deviation = std::sqrt(variances[v]);
        double pair = 0;
        for (const double sign : {-1.0, 1.0}) {
          for (int64_t j = 0; j < model.units; ++j) moved[j] = a[j] + sign * deviation * along[j];
          pair += SquaredLength(ResidualOf(model, moved, x)) - clean;
        }
        excess[v] += pair / (2 * variances[v] * static_cast<double>(samples));
      }
    }
    return excess;
  });
}

}  // namespace kwta
