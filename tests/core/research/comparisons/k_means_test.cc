#include "core/research/comparisons/k_means.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/backends/backend_registry.h"
#include "core/base/rng.h"
#include "core/research/comparisons/triangle_k_means.h"
#include "tests/core/backends/distant_backend.h"

namespace kwta::k_means_test {
namespace {

using testing::HasSubstr;

class KMeansTest : public testing::Test {
 protected:
  const std::shared_ptr<Backend> backend_ = CreateBackend("reference", {1}).value();
};

TEST_F(KMeansTest, FindsClustersThatAreFarApart) {
  Rng rng(1);
  const double centres[3][2] = {{0, 0}, {10, 0}, {0, 10}};
  std::vector<float> x;
  for (int i = 0; i < 300; ++i) {
    for (int d = 0; d < 2; ++d) x.push_back(static_cast<float>(centres[i % 3][d] + 0.1 * rng.Gaussian()));
  }
  KMeansOptions options;
  options.centroids = 3;
  options.iterations = 100;
  double best = 1e9;
  KMeansResult found;
  for (options.seed = 1; options.seed <= 10; ++options.seed) {  // Lloyd's iterations may end in a local minimum
    auto result = KMeans(x.data(), 300, 2, options, *backend_);
    ASSERT_TRUE(result.ok());
    EXPECT_LT(result->iterations, 100);
    if (result->squared_distance >= best) continue;
    best = result->squared_distance;
    found = std::move(*result);
  }
  EXPECT_NEAR(best, 0.02, 0.01);
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(found.assignment[i], found.assignment[i % 3]);
    const float* centroid = found.centroids.data() + 2 * found.assignment[i];
    EXPECT_NEAR(centroid[0], centres[i % 3][0], 0.1);
    EXPECT_NEAR(centroid[1], centres[i % 3][1], 0.1);
  }
}

TEST_F(KMeansTest, CentroidsAreTheMeansOfTheirRowsAndTheDistanceFalls) {
  Rng rng(2);
  std::vector<float> x(200 * 3);
  for (float& value : x) value = static_cast<float>(rng.Gaussian());
  KMeansOptions options;
  options.centroids = 7;
  double before = 1e9;
  for (options.iterations = 1; options.iterations <= 6; ++options.iterations) {
    const auto result = KMeans(x.data(), 200, 3, options, *backend_);
    ASSERT_TRUE(result.ok());
    EXPECT_LE(result->squared_distance, before);
    before = result->squared_distance;
    for (int c = 0; c < 7; ++c) {
      double sum = 0;
      int members = 0;
      for (int i = 0; i < 200; ++i) {
        if (result->assignment[i] != c) continue;
        sum += x[i * 3];
        ++members;
      }
      ASSERT_GT(members, 0);
      EXPECT_NEAR(result->centroids[c * 3], sum / members, 1e-5);
    }
  }
}

TEST_F(KMeansTest, WorksWhereTheHostCannotTouchTheBackendsMemory) {
  Rng rng(4);
  std::vector<float> x(1500 * 4);  // more rows than distances are computed of together
  for (float& value : x) value = static_cast<float>(rng.Gaussian());
  KMeansOptions options;
  options.centroids = 6;
  DistantBackend distant;
  const auto far = KMeans(x.data(), 1500, 4, options, distant), near = KMeans(x.data(), 1500, 4, options, *backend_);
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_EQ(far->centroids, near->centroids);
  EXPECT_EQ(far->assignment, near->assignment);
  EXPECT_EQ(far->squared_distance, near->squared_distance);
}

TEST_F(KMeansTest, MovesCentroidsWithoutRows) {
  // Two distinct points and three centroids: one has no rows, and is put on a row again.
  const std::vector<float> x = {1, 1, 1, 1, 5, 5};
  KMeansOptions options;
  options.centroids = 3;
  options.iterations = 5;
  const auto result = KMeans(x.data(), 6, 1, options, *backend_);
  ASSERT_TRUE(result.ok());
  for (const float centroid : result->centroids) EXPECT_TRUE(centroid == 1 || centroid == 5) << centroid;
}

TEST_F(KMeansTest, RefusesOptionsOutOfRange) {
  const std::vector<float> x(10);
  KMeansOptions options;
  options.centroids = 11;
  absl::Status status = KMeans(x.data(), 10, 1, options, *backend_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("centroids is 11; expected 1 .. 10"));
  options.centroids = 2;
  options.iterations = 0;
  status = KMeans(x.data(), 10, 1, options, *backend_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("iterations is 0"));
}

// Two channels of 8x7 bytes.
Dataset MadeUpImages(int64_t rows) {
  auto tensor = std::make_shared<Tensor>(DType::kU8, Shape{rows, 2, 8, 7});
  Rng rng(3);
  for (int64_t e = 0; e < tensor->elements(); ++e) {
    tensor->as<uint8_t>()[e] = static_cast<uint8_t>(rng.UniformBelow(256));
  }
  std::vector<uint32_t> order(rows);
  for (int64_t i = 0; i < rows; ++i) order[i] = static_cast<uint32_t>(i);
  const RowsView all = tensor->rows();
  return Dataset(tensor, all, {2, 8, 7}, order, {});
}

TEST_F(KMeansTest, TriangleFeaturesAreTheirDefinition) {
  const Dataset images = MadeUpImages(30);
  TriangleKMeansOptions options;
  options.centroids = 5;
  options.patch_size = 3;
  options.patches = 500;
  const auto model = TriangleKMeans::Fit(images, options, backend_, testing::TempDir());
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_EQ(model->width(), 20);
  std::vector<float> features(20), expected(20);
  ASSERT_TRUE(model->Features(images.row(4), features.data()).ok());
  const uint8_t* image = static_cast<const uint8_t*>(images.row(4).data);
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 5; ++x) {
      std::vector<uint8_t> patch;
      for (int c = 0; c < 2; ++c) {
        for (int dy = 0; dy < 3; ++dy) {
          for (int dx = 0; dx < 3; ++dx) patch.push_back(image[(c * 8 + y + dy) * 7 + x + dx]);
        }
      }
      std::vector<float> seen(18);
      ASSERT_TRUE(model->preprocessor().Apply({DType::kU8, patch.data(), 1, 18}, seen.data()).ok());
      std::vector<double> distances;
      double mean = 0;
      for (int c = 0; c < 5; ++c) {
        double squared = 0;
        for (int d = 0; d < 18; ++d) squared += std::pow(seen[d] - model->centroids()[c * 18 + d], 2);
        distances.push_back(std::sqrt(squared));
        mean += distances.back() / 5;
      }
      const int quadrant = (y < 3 ? 0 : 2) + (x < 3 ? 0 : 1);
      for (int c = 0; c < 5; ++c) expected[quadrant * 5 + c] += static_cast<float>(std::max(0.0, mean - distances[c]));
    }
  }
  for (int f = 0; f < 20; ++f) EXPECT_NEAR(features[f], expected[f], 1e-3) << f;
}

TEST_F(KMeansTest, TriangleFeaturesAreTheSameWhereTheHostCannotTouchTheBackendsMemory) {
  const Dataset images = MadeUpImages(30);
  TriangleKMeansOptions options;
  options.centroids = 5;
  options.patch_size = 3;
  options.patches = 500;
  std::vector<std::vector<float>> features;
  for (const std::shared_ptr<Backend>& backend :
       {backend_, std::shared_ptr<Backend>(std::make_shared<DistantBackend>())}) {
    const auto model = TriangleKMeans::Fit(images, options, backend, testing::TempDir());
    ASSERT_TRUE(model.ok()) << model.status();
    for (int64_t i = 0; i < 2; ++i) {
      features.emplace_back(20);
      ASSERT_EQ(model->Features(images.row(i), features.back().data()), absl::OkStatus());
    }
  }
  EXPECT_EQ(features[0], features[2]);
  EXPECT_EQ(features[1], features[3]);
}

TEST_F(KMeansTest, TrianglePatchesMustFitTheImages) {
  TriangleKMeansOptions options;
  options.patch_size = 8;
  const absl::Status status = TriangleKMeans::Fit(MadeUpImages(30), options, backend_, testing::TempDir()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("patches of 8 x 8"));
}

}  // namespace
}  // namespace kwta::k_means_test
