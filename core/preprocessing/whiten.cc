#include "core/preprocessing/whiten.h"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/find_tensor.h"
#include "core/preprocessing/moments.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta {
namespace {

// Rows that share one pass over the matrix, which is larger than the processor's caches.
constexpr int64_t kRowsOfAPass = 16;

class WhitenStep : public Step {
 public:
  WhitenStep(std::vector<float> mean, std::vector<float> matrix) : mean_(std::move(mean)), matrix_(std::move(matrix)) {}

  // Sums in a fixed order, so that a row's result does not depend on the other rows.
  void Apply(const float* x, int64_t rows, float* out) const override {
    const int64_t width = static_cast<int64_t>(mean_.size());
    std::vector<float> centred(kRowsOfAPass * width);
    for (int64_t begin = 0; begin < rows; begin += kRowsOfAPass) {
      const int64_t count = std::min(kRowsOfAPass, rows - begin);
      for (int64_t j = 0; j < count * width; ++j) centred[j] = x[begin * width + j] - mean_[j % width];
      for (int64_t d = 0; d < width; ++d) {
        for (int64_t i = 0; i < count; ++i) {
          out[(begin + i) * width + d] =
              simd::FixedOrderDot(centred.data() + i * width, matrix_.data() + d * width, width);
        }
      }
    }
  }
  void Export(const std::string& prefix, TensorMap* tensors) const override {
    const int64_t width = static_cast<int64_t>(mean_.size());
    (*tensors)[prefix + "mean"] = FloatTensor(mean_, {width});
    (*tensors)[prefix + "matrix"] = FloatTensor(matrix_, {width, width});
  }

 private:
  const std::vector<float> mean_;    // [width]
  const std::vector<float> matrix_;  // [width, width]
};

// Returns the sum over the rows of (x - mean)(x - mean)', accumulated in binary64 from binary32 products of blocks.
absl::StatusOr<Eigen::MatrixXd> Scatter(const std::vector<double>& mean, const FittingRows& rows) {
  const int64_t width = static_cast<int64_t>(mean.size());
  Eigen::MatrixXd scatter = Eigen::MatrixXd::Zero(width, width);
  std::vector<float> columns;                 // [width, count]
  std::vector<float> product(width * width);  // [width, width]
  Buffer device_columns, device_product;
  KWTA_ASSIGN_OR_RETURN(device_product, rows.backend->Allocate(product.size() * sizeof(float)));
  KWTA_RETURN_IF_ERROR(rows.for_each_block([&](const float* x, int64_t count) -> absl::Status {
    columns.resize(width * count);
    for (int64_t d = 0; d < width; ++d) {
      for (int64_t i = 0; i < count; ++i) columns[d * count + i] = static_cast<float>(x[i * width + d] - mean[d]);
    }
    if (device_columns.bytes() < columns.size() * sizeof(float)) {
      KWTA_ASSIGN_OR_RETURN(device_columns, rows.backend->Allocate(columns.size() * sizeof(float)));
    }
    KWTA_RETURN_IF_ERROR(
        rows.backend->CopyFromHost(columns.data(), device_columns.as<void>(), columns.size() * sizeof(float)));
    GemmArgs gemm;
    gemm.a = gemm.b = device_columns.as<float>();
    gemm.c = device_product.as<float>();
    gemm.m = gemm.n = width;
    gemm.k = count;
    gemm.transpose_b = true;
    KWTA_RETURN_IF_ERROR(rows.backend->Gemm(gemm));
    KWTA_RETURN_IF_ERROR(
        rows.backend->CopyToHost(device_product.as<void>(), product.data(), product.size() * sizeof(float)));
    for (int64_t j = 0; j < width * width; ++j) scatter.data()[j] += product[j];
    return absl::OkStatus();
  }));
  return scatter;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Step>> FitWhitenStep(const std::string& name, const Shape& input, float epsilon,
                                                          const FittingRows& rows) {
  const int64_t width = ElementCount(input);
  if (rows.rows <= width) {
    rows.warnings->push_back(absl::StrCat(name, " was fitted on ", rows.rows, " rows of ", width,
                                          " dimensions: directions in which they do not differ are held by epsilon (",
                                          epsilon,
                                          ") alone; more rows, smaller images or a larger epsilon would be better"));
  }
  Moments moments(width);
  KWTA_RETURN_IF_ERROR(rows.for_each_block([&](const float* x, int64_t count) {
    moments.Add(x, count);
    return absl::OkStatus();
  }));
  KWTA_ASSIGN_OR_RETURN(Eigen::MatrixXd covariance, Scatter(moments.mean(), rows));
  covariance /= static_cast<double>(rows.rows);
  if (!covariance.allFinite()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": the covariance of the rows overflows; scale them down first"));
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(covariance);
  if (solver.info() != Eigen::Success) {
    return absl::InternalError(absl::StrCat(name, ": no eigenvalues were found for a covariance of ", width, " x ",
                                            width, "; a larger epsilon does not help, other data might"));
  }
  // Rounding can make a zero eigenvalue slightly negative.
  const Eigen::VectorXd factors = (solver.eigenvalues().cwiseMax(0.0).array() + double{epsilon}).rsqrt();
  covariance.noalias() = solver.eigenvectors() * factors.asDiagonal() * solver.eigenvectors().transpose();
  std::vector<float> matrix(width * width);
  std::copy(covariance.data(), covariance.data() + matrix.size(), matrix.begin());
  return std::make_shared<WhitenStep>(RoundedMean(moments), std::move(matrix));
}

absl::StatusOr<std::shared_ptr<const Step>> LoadWhitenStep(const Shape& input, const std::string& prefix,
                                                           const TensorMap& tensors) {
  const int64_t width = ElementCount(input);
  KWTA_ASSIGN_OR_RETURN(std::vector<float> mean, CopyFloats(tensors, prefix + "mean", {width}));
  KWTA_ASSIGN_OR_RETURN(std::vector<float> matrix, CopyFloats(tensors, prefix + "matrix", {width, width}));
  return std::make_shared<WhitenStep>(std::move(mean), std::move(matrix));
}

}  // namespace kwta
