#include "core/tensors/codes.h"

#include <algorithm>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta::codes_test {
namespace {

using testing::ElementsAre;

// Rows {1: 10, 4: 40}, {}, {0: 5} of 5 units, in both forms.
SparseCodes SparseExample() { return {5, {0, 2, 2, 3}, {1, 4, 0}, {10, 40, 5}}; }
Codes DenseExample() {
  Tensor dense(DType::kF32, {3, 5});
  SparseExample().ToDense(dense.as<float>());
  return dense;
}
std::vector<Codes> BothForms() {
  std::vector<Codes> forms;
  forms.push_back(SparseExample());
  forms.push_back(DenseExample());
  return forms;
}

std::vector<float> DenseOf(const Codes& codes) {
  std::vector<float> dense(CodeRows(codes) * CodeUnits(codes), -1.0f);
  ToDense(codes, dense.data());
  return dense;
}

TEST(Codes, AreTheSameInBothForms) {
  for (const Codes& codes : BothForms()) {
    EXPECT_EQ(CodeRows(codes), 3);
    EXPECT_EQ(CodeUnits(codes), 5);
    EXPECT_THAT(DenseOf(codes), ElementsAre(0, 10, 0, 0, 40, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0));
    SparseCodes scratch;
    const SparseCodes& sparse = AsSparse(codes, &scratch);
    EXPECT_EQ(sparse.units, 5);
    EXPECT_THAT(sparse.row_offsets, ElementsAre(0, 2, 2, 3));
    EXPECT_THAT(sparse.indices, ElementsAre(1, 4, 0));
    EXPECT_THAT(sparse.values, ElementsAre(10, 40, 5));
  }
}

TEST(Codes, BecomeSparse) {
  for (Codes& codes : BothForms()) {
    const SparseCodes sparse = ToSparse(std::move(codes));
    EXPECT_EQ(sparse.units, 5);
    EXPECT_THAT(sparse.row_offsets, ElementsAre(0, 2, 2, 3));
    EXPECT_THAT(sparse.values, ElementsAre(10, 40, 5));
  }
}

TEST(Codes, CountTheBytesOfTheirForm) {
  EXPECT_EQ(CodeBytes(SparseExample()), 3 * 8);
  EXPECT_EQ(CodeBytes(DenseExample()), 15 * 4);
}

TEST(Codes, AreNoneAtFirst) {
  const Codes codes;
  EXPECT_EQ(CodeRows(codes), 0);
  EXPECT_EQ(CodeBytes(codes), 0);
}

TEST(Codes, KeepTheirMemoryWhereTheFormIsTheSame) {
  Codes codes = DenseExample();
  const float* memory = std::get<Tensor>(codes).as<float>();
  EXPECT_EQ(DenseIn(&codes, 3, 5), memory);
  EXPECT_EQ(memory[1], 10);
  DenseIn(&codes, 2, 5);
  EXPECT_THAT(DenseOf(codes), ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  SparseCodes* sparse = SparseIn(&codes);
  EXPECT_EQ(sparse->rows(), 0);
  *sparse = SparseExample();
  EXPECT_EQ(SparseIn(&codes), sparse);
  EXPECT_EQ(sparse->rows(), 3);
}

TEST(Codes, ArePutTogetherFromPieces) {
  for (const Codes& codes : BothForms()) {
    Codes whole = RoomFor(codes, 4);
    CopyRows(codes, 2, 1, 0, &whole);
    CopyRows(codes, 0, 3, 1, &whole);
    EXPECT_EQ(whole.index(), codes.index());
    EXPECT_THAT(DenseOf(whole), ElementsAre(5, 0, 0, 0, 0, 0, 10, 0, 0, 40, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0));
  }
}

TEST(Codes, PiecesWithoutRowsAddNothing) {
  const Codes none = Tensor(DType::kF32, {0, 5});
  const Codes whole = RoomFor(none, 0);
  EXPECT_EQ(CodeRows(whole), 0);
  EXPECT_EQ(CodeUnits(whole), 5);
}

}  // namespace
}  // namespace kwta::codes_test
