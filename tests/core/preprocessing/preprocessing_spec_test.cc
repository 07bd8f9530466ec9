#include "core/preprocessing/preprocessing_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "google/protobuf/text_format.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::preprocessing_spec_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;

v1::PreprocessingSpec Parse(const std::string& text) {
  v1::PreprocessingSpec spec;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &spec)) << text;
  return spec;
}

absl::Status Resolve(const std::string& text) {
  v1::PreprocessingSpec spec = Parse(text);
  return ResolvePreprocessing(&spec);
}

absl::StatusOr<std::vector<Shape>> Shapes(const std::string& text, const Shape& image) {
  v1::PreprocessingSpec spec = Parse(text);
  const absl::Status status = ResolvePreprocessing(&spec);
  if (!status.ok()) return status;
  return PreprocessedShapes(spec, image);
}

TEST(ResolvePreprocessing, FillsInDefaults) {
  v1::PreprocessingSpec spec;
  ASSERT_TRUE(ResolvePreprocessing(&spec).ok());
  EXPECT_EQ(spec.u8_divisor(), 255);
  EXPECT_TRUE(spec.has_subtract_mean());
  EXPECT_FALSE(spec.subtract_mean());

  spec = Parse(
      "steps { random_patches {} } steps { resize { height: 4 width: 5 } } steps { local_contrast {} } "
      "steps { global_contrast {} } steps { standardise {} } steps { whiten {} }");
  ASSERT_THAT(ResolvePreprocessing(&spec), IsOk());
  EXPECT_EQ(spec.steps(0).random_patches().size(), 8u);
  EXPECT_EQ(spec.steps(0).random_patches().patches(), 1'000'000u);
  EXPECT_EQ(spec.steps(0).random_patches().seed(), 1u);
  EXPECT_EQ(spec.steps(1).resize().a(), -0.5f);
  EXPECT_EQ(spec.steps(2).local_contrast().window(), 9u);
  EXPECT_TRUE(spec.steps(2).local_contrast().across_channels());
  EXPECT_FLOAT_EQ(spec.steps(2).local_contrast().constant(), 1 / 255.0f);
  EXPECT_FLOAT_EQ(spec.steps(3).global_contrast().constant(), 10 / 255.0f / 255.0f);
  EXPECT_TRUE(spec.steps(3).global_contrast().has_unit_length());
  EXPECT_EQ(spec.steps(4).standardise().constant(), 0.001f);
  EXPECT_EQ(spec.steps(5).whiten().epsilon(), 0.1f);
}

TEST(ResolvePreprocessing, TakesTheConstantsOfContrastInUnitsOfBytes) {
  v1::PreprocessingSpec spec = Parse("u8_divisor: 1 steps { global_contrast {} }");
  ASSERT_THAT(ResolvePreprocessing(&spec), IsOk());
  EXPECT_EQ(spec.steps(0).global_contrast().constant(), 10);
}

TEST(ResolvePreprocessing, RefusesDivisorsThatAreNotPositiveAndFinite) {
  for (const float divisor : {0.0f, -255.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
    v1::PreprocessingSpec spec;
    spec.set_u8_divisor(divisor);
    EXPECT_THAT(ResolvePreprocessing(&spec), StatusIs(StatusCode::kInvalidArgument, "preprocessing.u8_divisor is "));
  }
}

TEST(ResolvePreprocessing, RefusesFieldsOutOfRange) {
  const struct {
    const char* spec;
    const char* message;
  } kCases[] = {
      {"steps { }", "preprocessing.steps[0] names no kind of step"},
      {"steps { grey {} } steps { crop { height: 4 } }", "preprocessing.steps[1].crop is 4 x 0; expected height and"},
      {"steps { resize { height: 5000 width: 1 } }", "resize is 5000 x 1; expected height and width of 1 .. 4096"},
      {"steps { resize { height: 5 width: 1 a: 0.5 } }", "resize.a is 0.5; expected -1 .. 0"},
      {"steps { scale { } }", "scale.factor is not set; expected a finite number other than 0"},
      {"steps { scale { factor: 0 } }", "scale.factor is 0; expected"},
      {"steps { scale { factor: inf } }", "scale.factor is inf; expected"},
      {"steps { standardise { constant: 0 } }", "standardise.constant is 0; expected a finite number above 0"},
      {"steps { global_contrast { constant: nan } }", "global_contrast.constant is nan; expected"},
      {"steps { local_contrast { window: 8 } }", "local_contrast.window is 8; expected an odd number, 3 .. 255"},
      {"steps { local_contrast { window: 1 } }", "local_contrast.window is 1; expected"},
      {"steps { local_contrast { constant: -1 } }", "local_contrast.constant is -1; expected"},
      {"steps { whiten { epsilon: 0 } }", "whiten.epsilon is 0; expected a finite number above 0, such as 0.1"},
      {"steps { random_patches { size: 0 } }", "random_patches.size is 0; expected 1 .. 4096"},
      {"steps { random_patches { patches: 0 } }", "random_patches.patches is 0; expected 1 .. "},
      {"input { channels: 3 height: 0 width: 4 }", "preprocessing.input is [3, 0, 4]; expected three extents"},
      {"input { channels: 4294967295 height: 4294967295 width: 4294967295 }", "three extents of at least 1"},
  };
  for (const auto& bad : kCases) {
    EXPECT_THAT(Resolve(bad.spec), StatusIs(StatusCode::kInvalidArgument, bad.message)) << bad.spec;
  }
  std::string many;
  for (int i = 0; i < 17; ++i) many += "steps { grey {} }";
  EXPECT_THAT(Resolve(many), StatusIs(StatusCode::kInvalidArgument, "preprocessing.steps is 17; expected 0 .. 16"));
}

TEST(ResolvePreprocessing, RefusesOrdersThatMakeNoSense) {
  EXPECT_THAT(Resolve("steps { crop { height: 1 width: 1 } } steps { separate_views {} }"),
              StatusIs(StatusCode::kInvalidArgument, "steps[1] is separate_views; it can only be the first step"));
  EXPECT_THAT(Resolve("steps { grey {} } steps { random_patches {} }"),
              StatusIs(StatusCode::kInvalidArgument, "steps[1] is random_patches; it can only be the first step"));
  EXPECT_THAT(Resolve("steps { random_patches {} } steps { random_patches {} }"),
              StatusIs(StatusCode::kInvalidArgument, "steps[1] is random_patches"));
  EXPECT_THAT(Resolve("steps { whiten {} } steps { scale { factor: 2 } } steps { grey {} }"),
              StatusIs(StatusCode::kInvalidArgument, "steps[2] is grey, which needs pixels; put it before"));
  EXPECT_THAT(Resolve("steps { standardise {} } steps { resize { height: 1 width: 1 } }"),
              StatusIs(StatusCode::kInvalidArgument, "steps[1] is resize, which needs pixels"));
  EXPECT_THAT(Resolve("steps { separate_views {} } steps { random_patches {} } steps { global_contrast {} } "
                      "steps { standardise {} } steps { whiten {} }"),
              IsOk());
}

TEST(PreprocessedShapes, FlowThroughTheSteps) {
  EXPECT_THAT(Shapes("", {3, 32, 32}).value(), ElementsAre(Shape{3, 32, 32}));
  EXPECT_THAT(Shapes("steps { separate_views {} } steps { crop { height: 64 width: 60 } } "
                     "steps { resize { height: 32 width: 30 } } steps { scale { factor: 2 } }",
                     {2, 96, 96})
                  .value(),
              ElementsAre(Shape{2, 96, 96}, Shape{1, 96, 96}, Shape{1, 64, 60}, Shape{1, 32, 30}, Shape{1, 32, 30}));
  EXPECT_THAT(Shapes("steps { random_patches { size: 8 } } steps { grey {} } steps { whiten {} }", {3, 32, 32}).value(),
              ElementsAre(Shape{3, 32, 32}, Shape{3, 8, 8}, Shape{1, 8, 8}, Shape{1, 8, 8}));
}

TEST(PreprocessedShapes, RefuseStepsThatDoNotFit) {
  const auto expect = [](const std::string& spec, const Shape& image, const std::string& message) {
    EXPECT_THAT(Shapes(spec, image), StatusIs(StatusCode::kInvalidArgument, message)) << spec;
  };
  expect("steps { crop { height: 33 width: 2 } }", {3, 32, 32},
         "preprocessing.steps[0].crop keeps the inner 33 x 2; its input is an image of [3, 32, 32]");
  expect("steps { grey {} } steps { grey {} }", {3, 32, 32}, "steps[1].grey makes red, green and blue grey");
  expect("steps { grey {} }", {2, 96, 96}, "which takes 3 channels; its input is an image of [2, 96, 96]");
  expect("steps { separate_views {} }", {1, 28, 28}, "separates views, of which there are at least 2");
  expect("steps { random_patches { size: 9 } }", {3, 8, 32}, "takes patches of 9 x 9");
  expect("steps { whiten {} }", {3, 64, 64}, "whitens at most 8192 dimensions");
  // The spec's own extents are checked when it is resolved.
  EXPECT_THAT(Resolve("input { channels: 1 height: 8 width: 8 } steps { crop { height: 9 width: 8 } }"),
              StatusIs(StatusCode::kInvalidArgument, "keeps the inner 9 x 8"));
}

TEST(InputImage, IsTheDataSetsOwnUnlessTheSpecSaysMore) {
  EXPECT_EQ(InputImage({}, {28, 30}).value(), (Shape{1, 28, 30}));
  EXPECT_EQ(InputImage({}, {3, 28, 30}).value(), (Shape{3, 28, 30}));
  EXPECT_EQ(InputImage({}, {100}).value(), (Shape{1, 1, 100}));
  EXPECT_EQ(InputImage({}, {2, 3, 4, 5}).value(), (Shape{1, 1, 120}));
  const v1::PreprocessingSpec spec = Parse("input { channels: 3 height: 4 width: 5 }");
  EXPECT_EQ(InputImage(spec, {60}).value(), (Shape{3, 4, 5}));
  EXPECT_THAT(InputImage(spec, {61}),
              StatusIs(StatusCode::kInvalidArgument, "preprocessing.input is [3, 4, 5]; expected 61 elements"));
}

}  // namespace
}  // namespace kwta::preprocessing_spec_test
