#include "core/io/datasets/mirror_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

namespace kwta::mirror_images_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Rows of shape `shape`, numbers counting up, of which `order` are taken.
template <typename T>
Dataset Counting(DType dtype, Shape shape, std::vector<uint32_t> order, std::vector<int32_t> labels) {
  auto tensor = std::make_shared<Tensor>(dtype, shape);
  for (int64_t i = 0; i < tensor->elements(); ++i) tensor->as<T>()[i] = static_cast<T>(i);
  const RowsView rows = tensor->rows();
  return Dataset(std::move(tensor), rows, Shape(shape.begin() + 1, shape.end()), std::move(order), std::move(labels));
}

template <typename T>
std::vector<T> Row(const Dataset& data, int64_t i) {
  const T* const row = static_cast<const T*>(data.row(i).data);
  return std::vector<T>(row, row + data.width());
}

TEST(WithMirrorImages, PutsThemBehindTheImagesWithTheirLabels) {
  const Dataset images = Counting<uint8_t>(DType::kU8, {3, 2, 1, 3}, {2, 0}, {7, 8, 9});
  const absl::StatusOr<Dataset> both = WithMirrorImages(images);
  ASSERT_TRUE(both.ok()) << both.status();
  ASSERT_EQ(both->rows(), 4);
  EXPECT_EQ(both->row_shape(), (Shape{2, 1, 3}));
  EXPECT_THAT(Row<uint8_t>(*both, 0), ElementsAre(12, 13, 14, 15, 16, 17));
  EXPECT_THAT(Row<uint8_t>(*both, 1), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(Row<uint8_t>(*both, 2), ElementsAre(14, 13, 12, 17, 16, 15));
  EXPECT_THAT(Row<uint8_t>(*both, 3), ElementsAre(2, 1, 0, 5, 4, 3));
  EXPECT_EQ(both->label(2), 9);
  EXPECT_EQ(both->label(3), 7);
}

TEST(WithMirrorImages, TakesNumbersOfEverySizeAndRowsWithoutLabels) {
  const Dataset images = Counting<float>(DType::kF32, {1, 2, 2}, {0}, {});
  const absl::StatusOr<Dataset> both = WithMirrorImages(images);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_THAT(Row<float>(*both, 1), ElementsAre(1.0f, 0.0f, 3.0f, 2.0f));
  EXPECT_FALSE(both->labelled());
}

TEST(WithMirrorImages, RefusesRowsThatAreNoImages) {
  const absl::StatusOr<Dataset> both = WithMirrorImages(Counting<uint8_t>(DType::kU8, {2, 6}, {0}, {}));
  EXPECT_EQ(both.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(both.status().message(), HasSubstr("[6] have no mirror images"));
}

}  // namespace
}  // namespace kwta::mirror_images_test
