#include "core/preprocessing/patches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "tests/core/io/io_test_util.h"
#include "tests/core/preprocessing/made_up_images.h"

namespace kwta::patches_test {
namespace {

v1::RandomPatchesStep Step(uint32_t size, uint32_t patches, uint64_t seed) {
  v1::RandomPatchesStep step;
  step.set_size(size);
  step.set_patches(patches);
  step.set_seed(seed);
  return step;
}

// Images in which every element says where it is: image, channel, line, column.
Dataset Numbered(int64_t images, const Shape& shape) {
  Tensor tensor(DType::kF32, {images, shape[0], shape[1], shape[2]});
  for (int64_t j = 0; j < tensor.elements(); ++j) tensor.as<float>()[j] = static_cast<float>(j);
  return AsDataset(std::move(tensor));
}

TEST(DrawPatches, CutsPatchesOutOfTheImages) {
  const Shape image = {2, 6, 9};
  const Dataset data = Numbered(5, image);
  const Dataset patches = DrawPatches(data, image, Step(3, 400, 1), testing::TempDir()).value();
  EXPECT_EQ(patches.rows(), 400);
  EXPECT_EQ(patches.row_shape(), (Shape{2, 3, 3}));
  std::set<int> corners;
  for (int64_t i = 0; i < 400; ++i) {
    const float* patch = static_cast<const float*>(patches.row(i).data);
    const int corner = static_cast<int>(patch[0]);
    const int row = corner / 108, top = corner % 54 / 9, left = corner % 9;
    ASSERT_EQ(corner % 108 / 54, 0) << "starts in the first channel";
    ASSERT_LE(top, 3);
    ASSERT_LE(left, 6);
    for (int c = 0; c < 2; ++c) {
      for (int y = 0; y < 3; ++y) {
        for (int x = 0; x < 3; ++x) ASSERT_EQ(patch[c * 9 + y * 3 + x], corner + c * 54 + y * 9 + x);
      }
    }
    EXPECT_EQ(patches.label(i), data.label(row));
    corners.insert(corner);
  }
  // 5 images * 4 lines * 7 columns: 400 draws hit about 94% of them.
  EXPECT_GT(corners.size(), 120u);
  EXPECT_LE(corners.size(), 140u);
}

TEST(DrawPatches, KeepsTheElementType) {
  const Dataset bytes = AsDataset(SmoothBytes({4, 1, 5, 5}, 1));
  const Dataset patches = DrawPatches(bytes, {1, 5, 5}, Step(5, 3, 1), testing::TempDir()).value();
  EXPECT_EQ(patches.dtype(), DType::kU8);
  bool found = false;
  for (int64_t i = 0; i < 4; ++i) found |= std::memcmp(patches.row(0).data, bytes.row(i).data, 25) == 0;
  EXPECT_TRUE(found);
}

TEST(DrawPatches, IsAFunctionOfTheSeed) {
  const Shape image = {1, 8, 8};
  const Dataset data = Numbered(20, image);
  const auto corners = [&](uint64_t seed) {
    const Dataset patches = DrawPatches(data, image, Step(2, 30, seed), testing::TempDir()).value();
    std::vector<float> corners;
    for (int64_t i = 0; i < 30; ++i) corners.push_back(*static_cast<const float*>(patches.row(i).data));
    return corners;
  };
  EXPECT_EQ(corners(1), corners(1));
  EXPECT_NE(corners(1), corners(2));
}

TEST(DrawPatches, OnlyFromTheRowsOfTheDataSet) {
  auto storage = std::make_shared<Tensor>(MakeTensor<uint8_t>(DType::kU8, {3, 1, 1, 2}, {1, 1, 2, 2, 3, 3}));
  const Dataset data(storage, storage->rows(), {1, 1, 2}, {2, 0}, {});
  const Dataset patches = DrawPatches(data, {1, 1, 2}, Step(1, 200, 1), testing::TempDir()).value();
  std::set<int> seen;
  for (int64_t i = 0; i < 200; ++i) seen.insert(*static_cast<const uint8_t*>(patches.row(i).data));
  EXPECT_THAT(seen, testing::ElementsAre(1, 3));
}

TEST(DrawPatches, SaysWhenThereIsNoRoom) {
  const FileSizeLimit limit(1000);
  EXPECT_THAT(DrawPatches(Numbered(2, {1, 8, 8}), {1, 8, 8}, Step(4, 100, 1), testing::TempDir()),
              StatusIs(absl::StatusCode::kResourceExhausted, "cannot reserve 6400 bytes"));
}

}  // namespace
}  // namespace kwta::patches_test
