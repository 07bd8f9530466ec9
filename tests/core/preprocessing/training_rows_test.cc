#include "core/preprocessing/training_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <thread>

#include "core/backends/backend_registry.h"
#include "tests/core/io/io_test_util.h"
#include "tests/core/preprocessing/made_up_images.h"

namespace kwta::training_rows_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::StatusOr<TrainingRows> Create(const std::string& spec, const Dataset& data, int threads = 1) {
  return TrainingRows::Create(ResolvedSpec(spec), data, *CreateBackend("", {threads}).value(), testing::TempDir());
}

// All rows, as the learner would see them.
std::vector<float> AllRows(TrainingRows& rows) {
  std::vector<uint32_t> which(rows.rows());
  std::iota(which.begin(), which.end(), 0u);
  std::vector<float> out(rows.rows() * rows.width());
  EXPECT_THAT(rows.Gather(which.data(), rows.rows(), out.data()), IsOk());
  return out;
}

constexpr char kEverything[] =
    "subtract_mean: true steps { crop { height: 6 width: 6 } } steps { resize { height: 4 width: 3 } } "
    "steps { local_contrast { window: 3 } } steps { global_contrast {} } steps { scale { factor: 3 } } "
    "steps { standardise {} } steps { whiten { epsilon: 0.01 } }";

TEST(TrainingRows, WithoutStepsAreTheConvertedRowsLessTheirMean) {
  const Dataset data = AsDataset(MakeTensor<uint8_t>(DType::kU8, {2, 1, 2}, {0, 51, 102, 255}));
  auto plain = Create("", data).value();
  EXPECT_THAT(AllRows(plain), ElementsAre(0, 0.2f, 0.4f, 1));
  EXPECT_THAT(plain.preprocessor().mean(), IsEmpty());
  EXPECT_EQ(plain.preprocessor().output_shape(), (Shape{1, 1, 2}));
  EXPECT_NEAR(plain.squared_deviation(), 2 * 0.04 + 2 * 0.16, 1e-7);
  auto centred = Create("subtract_mean: true", data).value();
  EXPECT_THAT(AllRows(centred), ElementsAre(-0.2f, 0.2f - 0.6f, 0.2f, 1 - 0.6f));
  EXPECT_NEAR(centred.squared_deviation(), 2 * 0.04 + 2 * 0.16, 1e-7);
}

TEST(TrainingRows, FitsOnTheRowsOfTheDataSetOnly) {
  // Rows that are stored but not chosen, such as those held out for validation.
  auto storage = std::make_shared<Tensor>(MakeTensor<float>(DType::kF32, {4, 1}, {1, 1000, 5, -1000}));
  const Dataset data(storage, storage->rows(), {1}, {0, 2}, {});
  auto rows = Create("subtract_mean: true steps { standardise { constant: 1 } }", data).value();
  TensorMap tensors;
  rows.preprocessor().Export(&tensors);
  EXPECT_EQ(tensors.at("preprocessing.0.mean").as<float>()[0], 3);
  EXPECT_EQ(tensors.at("preprocessing.0.sd").as<float>()[0], 2);
  EXPECT_EQ(tensors.at("mean").as<float>()[0], 0);
  EXPECT_THAT(AllRows(rows), ElementsAre(-2 / 3.0f, 2 / 3.0f));
}

TEST(TrainingRows, AnOffsetMakesStoredZerosZeroAgain) {
  const Dataset data = AsDataset(MakeTensor<uint8_t>(DType::kU8, {3, 1, 3}, {0, 51, 0, 102, 0, 0, 255, 7, 0}));
  for (const char* spec : {"subtract_mean: true", "steps { standardise { constant: 0.1 } }",
                           "subtract_mean: true steps { standardise {} } steps { scale { factor: 3 } }"}) {
    auto rows = Create(spec, data).value();
    const std::vector<float> offset = rows.preprocessor().OffsetOfZeros();
    ASSERT_EQ(offset.size(), 3u) << spec;
    const std::vector<float> x = AllRows(rows);
    for (size_t e = 0; e < x.size(); ++e) {
      const bool zero = e == 0 || e == 2 || e == 4 || e == 5 || e == 8;
      EXPECT_EQ(x[e] + offset[e % 3] == 0, zero) << spec << ", element " << e;
    }
  }
  EXPECT_THAT(Create("", data).value().preprocessor().OffsetOfZeros(), IsEmpty());
}

TEST(TrainingRows, ModelsReadWhatTheyWereTrainedOn) {
  const Dataset data = AsDataset(SmoothBytes({100, 3, 7, 8}, 1));
  auto rows = Create(kEverything, data).value();
  EXPECT_EQ(rows.model_input_width(), 3 * 7 * 8);
  EXPECT_EQ(rows.width(), 3 * 4 * 3);
  TensorMap tensors;
  rows.preprocessor().Export(&tensors);
  EXPECT_EQ(tensors.size(), 5u);  // mean; mean and sd of the sixth step; mean and matrix of the seventh
  const auto loaded = Preprocessor::Load(rows.spec(), rows.model_input_width(), tensors).value();
  EXPECT_EQ(loaded.output_shape(), (Shape{3, 4, 3}));
  EXPECT_EQ(loaded.mean(), rows.preprocessor().mean());
  const std::vector<float> trained = AllRows(rows);
  std::vector<float> encoded(trained.size());
  for (int64_t i = 0; i < 100; ++i) {  // row by row: the company does not matter
    ASSERT_THAT(loaded.Apply(data.row(i), encoded.data() + i * rows.width()), IsOk());
  }
  EXPECT_EQ(encoded, trained);
}

TEST(TrainingRows, DoNotDependOnTheNumberOfThreads) {
  const Dataset data = AsDataset(SmoothBytes({700, 3, 7, 8}, 2));
  auto one = Create(kEverything, data, 1).value();
  auto three = Create(kEverything, data, 3).value();
  EXPECT_EQ(AllRows(one), AllRows(three));
  EXPECT_EQ(one.squared_deviation(), three.squared_deviation());
}

TEST(TrainingRows, AreReadByManyThreads) {
  const Dataset data = AsDataset(SmoothBytes({64, 1, 7, 8}, 3));
  auto rows = Create(kEverything, data).value();
  const Preprocessor& preprocessor = rows.preprocessor();
  const std::vector<float> expected = AllRows(rows);
  std::vector<std::vector<float>> out(4, std::vector<float>(expected.size()));
  std::vector<std::thread> threads;
  for (auto& mine : out) {
    threads.emplace_back([&] {
      for (int64_t i = 0; i < 64; ++i) {
        EXPECT_THAT(preprocessor.Apply(data.row(i), mine.data() + i * rows.width()), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : out) EXPECT_EQ(mine, expected);
}

TEST(TrainingRows, LeaveNoFileBehind) {
  const TemporaryDirectory directory;
  {
    const auto rows = TrainingRows::Create(ResolvedSpec("steps { random_patches { size: 3 patches: 50 } } "
                                                        "steps { whiten {} }"),
                                           AsDataset(SmoothBytes({20, 3, 7, 8}, 3)), *CreateBackend("", {1}).value(),
                                           directory.path());
    ASSERT_THAT(rows, IsOk());
    EXPECT_THAT(directory.List(), IsEmpty());
  }
  EXPECT_THAT(Create("steps { whiten {} }", AsDataset(SmoothBytes({20, 3, 7, 8}, 3))), IsOk());
  EXPECT_THAT(TrainingRows::Create(ResolvedSpec("steps { whiten {} }"), AsDataset(SmoothBytes({20, 3, 7, 8}, 3)),
                                   *CreateBackend("", {1}).value(), directory.File("missing")),
              StatusIs(StatusCode::kNotFound, "missing"));
}

TEST(TrainingRows, WarnOfTooFewRowsToWhiten) {
  const Dataset few = AsDataset(SmoothBytes({20, 1, 4, 6}, 4));
  auto rows = Create("steps { whiten {} }", few).value();
  EXPECT_THAT(rows.warnings(), ElementsAre(HasSubstr("preprocessing.steps[0] was fitted on 20 rows of 24 dimensions")));
  for (const float element : AllRows(rows)) EXPECT_TRUE(std::isfinite(element));
  EXPECT_THAT(Create("steps { whiten {} }", AsDataset(SmoothBytes({25, 1, 4, 6}, 4)))->warnings(), IsEmpty());
}

TEST(TrainingRows, RefuseDataThatDoNotFit) {
  const Dataset data = AsDataset(SmoothBytes({20, 3, 7, 8}, 4));
  EXPECT_THAT(Create("steps { crop { height: 8 width: 8 } }", data),
              StatusIs(StatusCode::kInvalidArgument, "keeps the inner 8 x 8; its input is an image of [3, 7, 8]"));
  EXPECT_THAT(Create("input { channels: 3 height: 8 width: 8 }", data),
              StatusIs(StatusCode::kInvalidArgument, "preprocessing.input is [3, 8, 8]; expected 168 elements"));
  const Dataset huge = AsDataset(MakeTensor<float>(DType::kF32, {2, 2}, {1, 2, 3e38f, 1}));
  EXPECT_THAT(Create("steps { scale { factor: 10 } }", huge),
              StatusIs(StatusCode::kInvalidArgument, "row 1 overflows in preprocessing"));
  EXPECT_THAT(Create("steps { whiten {} }", huge),
              StatusIs(StatusCode::kInvalidArgument, "the covariance of the rows overflows; scale them down"));
}

TEST(Preprocessor, LoadRefusesTensorsThatDoNotFit) {
  auto rows = Create("steps { standardise {} } steps { whiten {} }", AsDataset(SmoothBytes({20, 1, 2, 4}, 4))).value();
  const auto load = [&](const std::function<void(v1::PreprocessingSpec*, int64_t*, TensorMap*)>& damage) {
    v1::PreprocessingSpec spec = rows.spec();
    int64_t width = rows.model_input_width();
    TensorMap tensors;
    rows.preprocessor().Export(&tensors);
    damage(&spec, &width, &tensors);
    return Preprocessor::Load(spec, width, tensors).status();
  };
  EXPECT_THAT(load([](auto*, auto*, auto*) {}), IsOk());
  EXPECT_THAT(load([](auto*, auto*, TensorMap* tensors) { tensors->erase("preprocessing.1.matrix"); }),
              StatusIs(StatusCode::kDataLoss, "the model has no tensor \"preprocessing.1.matrix\""));
  EXPECT_THAT(
      load([](auto*, auto*, TensorMap* tensors) { (*tensors)["preprocessing.0.sd"] = Tensor(DType::kF32, {9}); }),
      StatusIs(StatusCode::kDataLoss, "\"preprocessing.0.sd\" of the model is f32[9]"));
  EXPECT_THAT(load([](v1::PreprocessingSpec* spec, auto*, auto*) { spec->set_subtract_mean(true); }),
              StatusIs(StatusCode::kDataLoss, "the model has no tensor \"mean\""));
  EXPECT_THAT(load([](v1::PreprocessingSpec* spec, auto*, auto*) { spec->mutable_steps(0)->Clear(); }),
              StatusIs(StatusCode::kDataLoss, "the model's description is not valid: preprocessing.steps[0] names no"));
  EXPECT_THAT(load([](auto*, int64_t* width, auto*) { *width = 7; }),
              StatusIs(StatusCode::kDataLoss, "rows of 7 elements, but its preprocessing reads [1, 2, 4]"));
}

}  // namespace
}  // namespace kwta::training_rows_test
