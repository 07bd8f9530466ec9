#include "core/research/comparisons/supervised_convolution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/rng.h"

namespace kwta::supervised_convolution_test {
namespace {

using testing::HasSubstr;

ConvolutionShape Small() {
  ConvolutionShape shape;
  shape.channels = 2;
  shape.height = 7;
  shape.width = 6;
  shape.maps = 3;
  shape.filter_size = 4;  // even: the patch is not centred
  shape.pooling = {3, 2, 1};
  shape.classes = 3;
  return shape;
}

std::vector<float> Gaussian(int64_t size, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

TEST(SupervisedConvolution, GradientsAreThoseOfFiniteDifferences) {
  const ConvolutionShape shape = Small();
  ThreadPool pool(2);
  auto network = SupervisedConvolution::Create(shape, 1, pool);
  ASSERT_TRUE(network.ok());
  ConvolutionParameters& parameters = network->parameters();
  parameters.bias = Gaussian(shape.maps, 2);
  parameters.weights = Gaussian(shape.pooled() * shape.classes, 3);
  const int64_t rows = 11;  // more than one part
  const std::vector<float> x = Gaussian(rows * shape.image(), 4);
  std::vector<const float*> images;
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < rows; ++i) {
    images.push_back(x.data() + i * shape.image());
    labels.push_back(static_cast<int32_t>(i % 3));
  }
  std::vector<float> kept = Gaussian(rows * shape.pooled(), 5);
  for (float& factor : kept) factor = factor > 0 ? 2.0f : 0.0f;
  for (const float* dropout : {static_cast<const float*>(nullptr), static_cast<const float*>(kept.data())}) {
    ConvolutionParameters gradient, unused;
    network->LossAndGradient(images.data(), labels.data(), rows, dropout, &gradient);
    const auto check = [&](std::vector<float>& values, const std::vector<float>& expected, const char* name) {
      ASSERT_EQ(values.size(), expected.size());
      for (size_t j = 0; j < values.size(); j += 1 + values.size() / 40) {
        const float original = values[j];
        const float step = 1e-3f;
        values[j] = original + step;
        const double above = network->LossAndGradient(images.data(), labels.data(), rows, dropout, &unused);
        values[j] = original - step;
        const double below = network->LossAndGradient(images.data(), labels.data(), rows, dropout, &unused);
        values[j] = original;
        EXPECT_NEAR(expected[j], (above - below) / (2 * step), 2e-3) << name << " " << j;
      }
    };
    check(parameters.filters, gradient.filters, "filters");
    check(parameters.bias, gradient.bias, "bias");
    check(parameters.weights, gradient.weights, "weights");
    check(parameters.classifier_bias, gradient.classifier_bias, "classifier bias");
    double size = 0;
    for (const float g : gradient.filters) size += std::abs(g);
    EXPECT_GT(size, 0.1);
  }
}

// Images of noise with a bar, upright or level, anywhere: no single pixel tells them apart.
TEST(SupervisedConvolution, LearnsWhatNoPixelTellsAndDoesNotDependOnThreads) {
  ConvolutionShape shape;
  shape.height = shape.width = 9;
  shape.maps = 4;
  shape.filter_size = 5;
  shape.pooling = {9, 9, 0};
  shape.classes = 2;
  Rng rng(6);
  const int64_t rows = 300;
  std::vector<float> x(rows * shape.image());
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < rows; ++i) {
    float* image = x.data() + i * shape.image();
    for (int64_t e = 0; e < shape.image(); ++e) image[e] = static_cast<float>(0.1 * rng.Gaussian());
    labels.push_back(static_cast<int32_t>(rng.UniformBelow(2)));
    const auto along = static_cast<int64_t>(rng.UniformBelow(9)), from = static_cast<int64_t>(rng.UniformBelow(5));
    for (int64_t s = from; s < from + 5; ++s) image[labels[i] == 0 ? along * 9 + s : s * 9 + along] += 1;
  }
  ConvolutionOptions options;
  options.epochs = 15;
  options.batch_size = 20;
  options.learning_rate = 0.01;
  options.dropout = 0.1;
  std::vector<float> filters;
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    auto network = SupervisedConvolution::Create(shape, 7, pool);
    ASSERT_TRUE(network.ok());
    std::vector<double> epochs(options.epochs);  // the loss of each
    const absl::Status trained = network->Train(x.data(), labels, options, [&](double epochs_done, double loss) {
      epochs.at(static_cast<size_t>(std::ceil(epochs_done - 1e-9)) - 1) += loss;
      return absl::OkStatus();
    });
    ASSERT_TRUE(trained.ok()) << trained;
    EXPECT_GT(epochs.back(), 0);
    EXPECT_LT(epochs.back(), 0.3 * epochs.front());
    EXPECT_LT(network->ErrorRate(x.data(), labels), 0.05);
    if (threads == 1) filters = network->parameters().filters;
    EXPECT_EQ(network->parameters().filters, filters);
  }
}

TEST(SupervisedConvolution, TrainingEndsWhenItsReportSaysSo) {
  ThreadPool pool(1);
  auto network = SupervisedConvolution::Create(Small(), 1, pool);
  ASSERT_TRUE(network.ok());
  const std::vector<float> x = Gaussian(20 * Small().image(), 8);
  ConvolutionOptions options;
  options.batch_size = 5;
  std::vector<double> reported;
  const absl::Status status =
      network->Train(x.data(), std::vector<int32_t>(20, 1), options, [&](double epochs, double) {
        reported.push_back(epochs);
        return reported.size() == 3 ? absl::CancelledError("enough") : absl::OkStatus();
      });
  EXPECT_EQ(status, absl::CancelledError("enough"));
  EXPECT_EQ(reported, (std::vector<double>{0.25, 0.5, 0.75}));
}

TEST(SupervisedConvolution, RefusesWhatDoesNotFit) {
  ThreadPool pool(1);
  const auto message = [&](const ConvolutionShape& shape) {
    const absl::Status status = SupervisedConvolution::Create(shape, 1, pool).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  ConvolutionShape shape = Small();
  shape.filter_size = 7;
  EXPECT_THAT(message(shape), HasSubstr("filter_size is 7; expected 1 .. 6"));
  shape = Small();
  shape.pooling = {9, 1, 1};
  EXPECT_THAT(message(shape), HasSubstr("leaves nothing of an image of side 6"));
  shape = Small();
  shape.maps = 0;
  EXPECT_THAT(message(shape), HasSubstr("maps is 0"));

  auto network = SupervisedConvolution::Create(Small(), 1, pool);
  ASSERT_TRUE(network.ok());
  const std::vector<float> x(Small().image());
  absl::Status status = network->Train(x.data(), {3}, {});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("label 3 of row 0 is not in 0 .. 2"));
  ConvolutionOptions options;
  options.dropout = 1;
  status = network->Train(x.data(), {0}, options);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("dropout is 1"));
}

}  // namespace
}  // namespace kwta::supervised_convolution_test
