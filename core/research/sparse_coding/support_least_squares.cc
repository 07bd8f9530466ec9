#include "core/research/sparse_coding/support_least_squares.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"

namespace kwta {
namespace {

// An atom counts as inside the span of the others if less than this part of its squared length is outside. It is well
// above the rounding of binary32 atoms and well below the angle of any two atoms that are meant to differ.
constexpr double kIndependent = 1e-10;

}  // namespace

double Dot(const float* a, const float* b, int64_t width) {
  double sum[8] = {};
  int64_t d = 0;
  for (; d + 8 <= width; d += 8) {
    for (int lane = 0; lane < 8; ++lane) sum[lane] += double{a[d + lane]} * b[d + lane];
  }
  double total = 0;
  for (; d < width; ++d) total += double{a[d]} * b[d];
  for (const double part : sum) total += part;
  return total;
}

absl::Status ValidateSparsity(const Atoms& atoms, int64_t k) {
  const int64_t most = std::min(atoms.units, atoms.width);
  if (k >= 1 && k <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("k is ", k, " for ", atoms.units, " atoms of width ", atoms.width,
                                                 "; expected 1 .. ", most, ", as more atoms cannot be independent"));
}

bool SupportLeastSquares::Add(int32_t unit) {
  const float* atom = atoms_.atom(unit);
  const size_t size = units_.size();
  std::vector<double> row(size + 1);
  const double squared_length = Dot(atom, atom, atoms_.width);
  double outside = squared_length;
  double projected = Dot(atom, x_, atoms_.width);
  for (size_t i = 0; i < size; ++i) {
    const double inner = Dot(atoms_.atom(units_[i]), atom, atoms_.width);
    row[i] = (inner - std::inner_product(row.begin(), row.begin() + i, factor_[i].begin(), 0.0)) / factor_[i][i];
    outside -= row[i] * row[i];
    projected -= row[i] * projected_[i];
  }
  if (!(outside > kIndependent * squared_length)) return false;
  row[size] = std::sqrt(outside);
  projected_.push_back(projected / row[size]);
  factor_.push_back(std::move(row));
  units_.push_back(unit);
  return true;
}

std::vector<double> SupportLeastSquares::Coefficients() const {
  std::vector<double> z = projected_;
  for (size_t i = z.size(); i-- > 0;) {
    z[i] /= factor_[i][i];
    for (size_t j = 0; j < i; ++j) z[j] -= factor_[i][j] * z[i];
  }
  return z;
}

std::vector<float> SupportLeastSquares::Residual(const std::vector<double>& coefficients) const {
  std::vector<double> residual(x_, x_ + atoms_.width);
  for (size_t i = 0; i < units_.size(); ++i) {
    const float* atom = atoms_.atom(units_[i]);
    for (int64_t d = 0; d < atoms_.width; ++d) residual[d] -= coefficients[i] * atom[d];
  }
  return {residual.begin(), residual.end()};
}

SparseSolution SolveOn(const SupportLeastSquares& system) {
  const std::vector<double> coefficients = system.Coefficients();
  const std::vector<float> residual = system.Residual(coefficients);
  std::vector<size_t> order(coefficients.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return system.units()[a] < system.units()[b]; });
  SparseSolution solution;
  for (const size_t i : order) {
    solution.support.push_back(system.units()[i]);
    solution.values.push_back(coefficients[i]);
  }
  solution.squared_residual = Dot(residual.data(), residual.data(), static_cast<int64_t>(residual.size()));
  return solution;
}

}  // namespace kwta
