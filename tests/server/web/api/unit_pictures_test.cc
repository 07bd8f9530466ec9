#include "server/web/api/unit_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/io/arrays/find_tensor.h"
#include "core/io/model_bundle.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A bundle whose pictures are the model's: two atoms of 2 x 2 pixels, and perhaps a layer on top.
class UnitPicturesTest : public ::testing::Test {
 protected:
  UnitPicturesTest() {
    bundle_.description.set_name("model");
    bundle_.description.set_input_width(4);
    v1::ImageShape* input = bundle_.description.mutable_preprocessing()->mutable_input();
    input->set_channels(1);
    input->set_height(2);
    input->set_width(2);
  }

  static void SetUnits(v1::EncoderSpec* spec, uint32_t units) { spec->mutable_k_sparse()->set_units(units); }

  void Stack() {
    SetUnits(bundle_.description.mutable_encoder()->mutable_stack()->add_layers(), 2);
    SetUnits(bundle_.description.mutable_encoder()->mutable_stack()->add_layers(), 1);
    bundle_.tensors.emplace("layers.0.atoms", FloatTensor({1, 0, 0, 0, 0, 0, 0, 1}, {2, 4}));
    bundle_.tensors.emplace("layers.1.atoms", FloatTensor({4, 2}, {1, 2}));
  }

  absl::StatusOr<std::shared_ptr<const UnitPictures>> Open() {
    EXPECT_TRUE(WriteModelBundle(directory_.path() + "/bundle", bundle_).ok());
    return UnitPictures::Open(directory_.path() + "/bundle", bundle_.description);
  }

  TemporaryDirectory directory_;
  ModelBundle bundle_;
};

TEST_F(UnitPicturesTest, AtomsAreDrawnInTheOrderAsked) {
  SetUnits(bundle_.description.mutable_encoder(), 2);
  bundle_.tensors.emplace("atoms", FloatTensor({0, 1, 1, 1, 5, 5, 5, 0}, {2, 4}));
  const auto pictures = Open();
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_EQ((*pictures)->count(), 2);
  EXPECT_FALSE((*pictures)->projected());
  const absl::StatusOr<Image> image = (*pictures)->Draw({1, 0}, 2);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->pixels, ElementsAre(255, 255, 0, 255, 255, 0, 255, 255));
}

TEST_F(UnitPicturesTest, AHigherLayerIsProjected) {
  Stack();
  const auto pictures = Open();
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  EXPECT_TRUE((*pictures)->projected());
  EXPECT_EQ((*pictures)->shape(), (Shape{1, 2, 2}));
  const absl::StatusOr<Image> image = (*pictures)->Draw({0}, 1);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->pixels, ElementsAre(255, 0, 0, 128));  // 4 of the first atom, 2 of the second
}

TEST_F(UnitPicturesTest, MapsAreProjectedThroughPooling) {
  v1::StackSpec* stack = bundle_.description.mutable_encoder()->mutable_stack();
  v1::WinnerTakeAllSpec* below = stack->add_layers()->mutable_winner_take_all();
  *below->mutable_input() = bundle_.description.preprocessing().input();
  below->set_maps(1);
  below->set_filter_size(1);
  below->set_pool_width(1);
  below->set_pool_stride(1);
  below->set_pool_padding(0);
  SetUnits(stack->add_layers(), 1);
  bundle_.tensors.emplace("layers.0.filters", FloatTensor({7}, {1, 1, 1, 1}));
  bundle_.tensors.emplace("layers.0.decoder_filters", FloatTensor({2}, {1, 1, 1, 1}));
  bundle_.tensors.emplace("layers.1.atoms", FloatTensor({0, 1, 2, 4}, {1, 4}));
  const auto pictures = Open();
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  const absl::StatusOr<Image> image = (*pictures)->Draw({0}, 1);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->pixels, ElementsAre(0, 64, 128, 255));
}

TEST_F(UnitPicturesTest, UnitsThatAreNotThereAreRefused) {
  SetUnits(bundle_.description.mutable_encoder(), 2);
  bundle_.tensors.emplace("atoms", FloatTensor({0, 1, 1, 1, 5, 5, 5, 0}, {2, 4}));
  const auto pictures = Open();
  ASSERT_TRUE(pictures.ok()) << pictures.status();
  for (const std::vector<int64_t>& units :
       {std::vector<int64_t>{}, std::vector<int64_t>{2}, std::vector<int64_t>{-1}, std::vector<int64_t>(513, 0)}) {
    EXPECT_EQ((*pictures)->Draw(units, 1).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(UnitPicturesTest, TensorsThatDoNotFitAreRefused) {
  SetUnits(bundle_.description.mutable_encoder(), 2);
  bundle_.tensors.emplace("atoms", FloatTensor({0, 1, 1, 1, 5, 5}, {2, 3}));
  const absl::Status status = Open().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("[2, 3]"));
}

}  // namespace
}  // namespace kwta::server
