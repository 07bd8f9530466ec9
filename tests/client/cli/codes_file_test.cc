#include "client/cli/codes_file.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "core/io/arrays/safetensors.h"
#include "tests/temporary_directory.h"

namespace kwta::client::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

EncodeResult Sparse() {
  EncodeResult result;
  result.codes = SparseCodes{9, {0, 2, 4}, {1, 8, 0, 3}, {0.5f, 1, 2, -1}};
  result.model_version = 12;
  return result;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <typename T>
std::vector<T> Elements(const Tensor& tensor) {
  return {tensor.as<T>(), tensor.as<T>() + tensor.elements()};
}

TEST(WriteCodes, TopKAsSafetensors) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("topk.safetensors");
  ASSERT_EQ(WriteCodes(path, "digits", v1::OUTPUT_MODE_SPARSE_TOPK, Sparse()), absl::OkStatus());
  const auto file = ReadSafetensors(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->tensors.at("indices").shape(), (Shape{2, 2}));
  EXPECT_THAT(Elements<int32_t>(file->tensors.at("indices")), ElementsAre(1, 8, 0, 3));
  EXPECT_THAT(Elements<float>(file->tensors.at("values")), ElementsAre(0.5f, 1, 2, -1));
  EXPECT_EQ(file->metadata.at("model"), "digits");
  EXPECT_EQ(file->metadata.at("version"), "12");
}

TEST(WriteCodes, CsrAsSafetensors) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("csr.safetensors");
  ASSERT_EQ(WriteCodes(path, "digits", v1::OUTPUT_MODE_SPARSE_CSR, Sparse()), absl::OkStatus());
  const auto file = ReadSafetensors(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(Elements<float>(file->tensors.at("data")), ElementsAre(0.5f, 1, 2, -1));
  EXPECT_THAT(Elements<int32_t>(file->tensors.at("indices")), ElementsAre(1, 8, 0, 3));
  EXPECT_THAT(Elements<int64_t>(file->tensors.at("indptr")), ElementsAre(0, 2, 4));
  EXPECT_THAT(Elements<int64_t>(file->tensors.at("shape")), ElementsAre(2, 9));
}

TEST(WriteCodes, NpzHoldsTheArraysOfItsMode) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("codes.npz");
  ASSERT_EQ(WriteCodes(path, "digits", v1::OUTPUT_MODE_SPARSE_TOPK, Sparse()), absl::OkStatus());
  EXPECT_THAT(ReadFile(path), AllOf(StartsWith("PK"), HasSubstr("indices.npy"), HasSubstr("values.npy")));
  ASSERT_EQ(WriteCodes(path, "digits", v1::OUTPUT_MODE_SPARSE_CSR, Sparse()), absl::OkStatus());
  EXPECT_THAT(ReadFile(path), AllOf(HasSubstr("data.npy"), HasSubstr("indptr.npy"), HasSubstr("format.npy")));
  EncodeResult dense;
  dense.codes = Tensor(DType::kF32, {2, 9});
  ASSERT_EQ(WriteCodes(path, "digits", v1::OUTPUT_MODE_DENSE, dense), absl::OkStatus());
  EXPECT_THAT(ReadFile(path), HasSubstr("codes.npy"));
}

TEST(WriteCodes, RefusesRowsOfDifferentLengthsAsTopK) {
  EncodeResult ragged;
  ragged.codes = SparseCodes{9, {0, 1, 3}, {1, 2, 3}, {1, 1, 1}};
  const TemporaryDirectory directory;
  const absl::Status status = WriteCodes(directory.File("ragged.npz"), "digits", v1::OUTPUT_MODE_SPARSE_TOPK, ragged);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--mode csr"));
}

TEST(WriteCodes, RefusesOtherEndings) {
  const absl::Status status = WriteCodes("codes.csv", "digits", v1::OUTPUT_MODE_SPARSE_TOPK, Sparse());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(".npz or .safetensors"));
}

}  // namespace
}  // namespace kwta::client::cli
