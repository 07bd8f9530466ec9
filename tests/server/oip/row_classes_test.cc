#include "server/oip/row_classes.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kwta::server {
namespace {

// Codes of two units, three classes: scores are z0, z1 and 0.5.
StoredClassifier ThreeClasses() {
  Tensor weights(DType::kF32, {2, 3});
  Tensor bias(DType::kF32, {3});
  const float by_unit[] = {1, 0, 0, 0, 1, 0};
  const float constant[] = {0, 0, 0.5f};
  std::copy_n(by_unit, 6, weights.as<float>());
  std::copy_n(constant, 3, bias.as<float>());
  return StoredClassifier::Create(std::move(weights), std::move(bias)).value();
}

std::string Element(const std::string& text) {
  return std::string({static_cast<char>(text.size()), '\0', '\0', '\0'}) + text;
}

TEST(RowClassesTest, TheBestComeFirstAndTheLowestOfEqualOnes) {
  const float codes[] = {2, -1, 0.5f, 0.5f};
  const RowClasses best = ClassifyRows(ThreeClasses(), DenseFeatures({DType::kF32, codes, 2, 2}), 2);
  EXPECT_EQ(best.rows, 2);
  EXPECT_EQ(best.classes, 2);
  EXPECT_EQ(best.elements,
            Element("2.000000:0") + Element("0.500000:2") + Element("0.500000:0") + Element("0.500000:1"));
}

TEST(RowClassesTest, ThereAreNoMoreThanAll) {
  SparseCodes codes;
  codes.units = 2;
  codes.indices = {1};
  codes.values = {3};
  codes.row_offsets = {0, 1};
  const RowClasses all = ClassifyRows(ThreeClasses(), CodeFeatures(codes), 100);
  EXPECT_EQ(all.classes, 3);
  EXPECT_EQ(all.elements, Element("3.000000:1") + Element("0.500000:2") + Element("0.000000:0"));
}

}  // namespace
}  // namespace kwta::server
