#include "core/research/reproduction/comparisons.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/encoders/winner_take_all.h"
#include "core/research/comparisons/supervised_convolution.h"
#include "core/research/comparisons/triangle_k_means.h"
#include "core/research/reproduction/pictures.h"

namespace kwta {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kImages = 100;  // number between two looks at the stop flag

// Preprocessed images of some rows, [rows, width], with labels.
struct PreparedImages {
  std::vector<float> x;
  std::vector<int32_t> labels;
};

absl::StatusOr<PreparedImages> Preprocessed(const Preprocessor& preprocessor, const Dataset& data,
                                            absl::Span<const uint32_t> which) {
  const int64_t width = ElementCount(preprocessor.output_shape());
  PreparedImages images;
  images.x.resize(which.size() * width);
  for (size_t i = 0; i < which.size(); ++i) {
    KWTA_RETURN_IF_ERROR(preprocessor.Apply(data.row(which[i]), images.x.data() + i * width));
    images.labels.push_back(data.label(which[i]));
  }
  return images;
}

ConvolutionShape ShapeOf(const v1::WinnerTakeAllSpec& spec, int classes) {
  const ImageBatch image = ImagesOf(spec, 1);
  ConvolutionShape shape;
  shape.channels = image.channels;
  shape.height = image.height;
  shape.width = image.width;
  shape.maps = spec.maps();
  shape.filter_size = spec.filter_size();
  shape.pooling = PoolingOf(spec);
  shape.classes = classes;
  return shape;
}

// Returns the error, in percent, on `judged` after training on `fitted`.
absl::StatusOr<double> TrainAndJudge(Workbench& bench, const ConvolutionShape& shape, const ConvolutionOptions& options,
                                     const PreparedImages& fitted, const PreparedImages& judged) {
  KWTA_ASSIGN_OR_RETURN(SupervisedConvolution network,
                        SupervisedConvolution::Create(shape, options.seed, bench.pool()));
  KWTA_RETURN_IF_ERROR(network.Train(fitted.x.data(), fitted.labels, options, [&](double epochs_done, double) {
    return bench.Advance(epochs_done / options.epochs);
  }));
  return 100 * network.ErrorRate(judged.x.data(), judged.labels);
}

}  // namespace

absl::StatusOr<nlohmann::json> ClassifyTriangleKMeans(Workbench& bench, ClassificationPlan plan, int64_t maps,
                                                      uint64_t seed) {
  TriangleKMeansOptions options;
  options.centroids = maps;
  options.seed = seed;
  if (bench.quick()) {
    options.patches = 10'000;
    options.iterations = 5;
  }
  plan.label = absl::StrCat("triangle k-means, ", maps, " maps, seed ", seed);
  plan.key = {{"triangle_k_means", maps},
              {"patch_size", options.patch_size},
              {"patches", options.patches},
              {"iterations", options.iterations},
              {"seed", seed}};
  // Fitted on the training images when features are first needed.
  const auto model = std::make_shared<std::optional<TriangleKMeans>>();
  const Dataset& training = *plan.training;
  plan.choices = {
      {"triangle k-means", [&bench, &training, options, model](const Dataset& data) -> absl::StatusOr<Tensor> {
         if (!model->has_value()) {
           KWTA_ASSIGN_OR_RETURN(*model, TriangleKMeans::Fit(training, options, bench.backend(), ""));
         }
         Tensor features(DType::kF32, {data.rows(), (*model)->width()});
         Tensor stored = StoredRows(data);
         for (int64_t begin = 0; begin < data.rows(); begin += kImages) {
           KWTA_RETURN_IF_ERROR(bench.Advance(static_cast<double>(begin) / static_cast<double>(data.rows())));
           const int64_t count = std::min(kImages, data.rows() - begin);
           KWTA_RETURN_IF_ERROR(
               (*model)->Features(stored.rows().Slice(begin, count), features.as<float>() + begin * (*model)->width()));
         }
         return features;
       }}};
  KWTA_ASSIGN_OR_RETURN(nlohmann::json result, Classify(bench, plan));
  result["model"] = plan.key;
  return result;
}

absl::StatusOr<nlohmann::json> ClassifySupervised(Workbench& bench, const ClassificationPlan& plan,
                                                  const ModelBundle& like, uint64_t seed) {
  const v1::ModelDescription& description = like.description;
  const v1::WinnerTakeAllSpec& spec = description.encoder().winner_take_all();
  ConvolutionOptions options;
  options.seed = seed;
  options.epochs = bench.quick() ? 3 : 20;
  const std::vector<double> rates = bench.quick() ? std::vector<double>{0.001} : std::vector<double>{0.001, 0.0003};
  const nlohmann::json key = {{"supervised", description.encoder().DebugString()},
                              {"preprocessing", description.preprocessing().DebugString()},
                              {"training_rows", plan.training->rows()},
                              {"test_rows", plan.test->rows()},
                              {"validation_rows", plan.grid.validation_rows},
                              {"epochs", options.epochs},
                              {"rates", rates},
                              {"l2", options.l2},
                              {"dropout", options.dropout},
                              {"batch_size", options.batch_size},
                              {"seed", seed}};
  const std::string label = absl::StrCat("supervised network, ", spec.maps(), " maps, seed ", seed);
  return bench.Once(label, key, [&]() -> absl::StatusOr<nlohmann::json> {
    const Clock::time_point start = Clock::now();
    KWTA_ASSIGN_OR_RETURN(const Preprocessor preprocessor,
                          Preprocessor::Load(description.preprocessing(), description.input_width(), like.tensors));
    const std::vector<int32_t> labels = plan.training->Labels();
    const ConvolutionShape shape = ShapeOf(spec, 1 + *std::max_element(labels.begin(), labels.end()));
    Rng rng(plan.grid.split_seed);
    const std::vector<uint32_t> order = RandomPermutation(plan.training->rows(), rng);
    const absl::Span<const uint32_t> all(order);
    const size_t fitted = order.size() - plan.grid.validation_rows;
    double least = 101;
    double chosen = rates[0];
    {
      KWTA_ASSIGN_OR_RETURN(const PreparedImages first,
                            Preprocessed(preprocessor, *plan.training, all.subspan(0, fitted)));
      KWTA_ASSIGN_OR_RETURN(const PreparedImages second,
                            Preprocessed(preprocessor, *plan.training, all.subspan(fitted)));
      for (const double rate : rates) {
        options.learning_rate = rate;
        KWTA_ASSIGN_OR_RETURN(const double error, TrainAndJudge(bench, shape, options, first, second));
        if (error >= least) continue;
        least = error;
        chosen = rate;
      }
    }
    options.learning_rate = chosen;
    KWTA_ASSIGN_OR_RETURN(const PreparedImages training, Preprocessed(preprocessor, *plan.training, all));
    std::vector<uint32_t> rows(plan.test->rows());
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<uint32_t>(i);
    KWTA_ASSIGN_OR_RETURN(const PreparedImages test, Preprocessed(preprocessor, *plan.test, rows));
    KWTA_ASSIGN_OR_RETURN(const double error, TrainAndJudge(bench, shape, options, training, test));
    nlohmann::json result = key;
    result["test_error"] = error;
    result["validation_error"] = least;
    result["learning_rate"] = chosen;
    result["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
    return result;
  });
}

}  // namespace kwta
