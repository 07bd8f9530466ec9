#include "server/services/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/server/fake_encoder.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Tensor Floats(const std::vector<int64_t>& shape, const std::vector<float>& values) {
  v1::Tensor tensor;
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.mutable_floats()->Add(values.begin(), values.end());
  return tensor;
}

v1::Tensor Raw(const std::vector<int64_t>& shape, v1::DType dtype, size_t bytes) {
  v1::Tensor tensor;
  tensor.mutable_shape()->Add(shape.begin(), shape.end());
  tensor.set_dtype(dtype);
  tensor.set_raw(std::string(bytes, '\0'));
  return tensor;
}

void ExpectRefused(const v1::Tensor& tensor, const std::string& text, int64_t width = 2) {
  const absl::Status status = ConvertInput(tensor, "digits", width).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(ConvertInputTest, PackedFloatsAreLookedAtInPlace) {
  const v1::Tensor tensor = Floats({2, 2}, {1, 2, 3, 4});
  const auto rows = ConvertInput(tensor, "digits", 2);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->view.data, tensor.floats().data());
  EXPECT_EQ(rows->view.dtype, DType::kF32);
  EXPECT_EQ(rows->view.rows, 2);
  EXPECT_EQ(rows->view.width, 2);
}

TEST(ConvertInputTest, RawBytesOfEveryDTypeAreLookedAtInPlace) {
  const struct {
    v1::DType wire;
    DType dtype;
  } cases[] = {{v1::DTYPE_F32, DType::kF32},
               {v1::DTYPE_UNSPECIFIED, DType::kF32},
               {v1::DTYPE_U8, DType::kU8},
               {v1::DTYPE_F16, DType::kF16},
               {v1::DTYPE_BF16, DType::kBF16}};
  for (const auto& each : cases) {
    const v1::Tensor tensor = Raw({8, 2}, each.wire, 16 * DTypeSize(each.dtype));
    const auto rows = ConvertInput(tensor, "digits", 2);
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(rows->view.dtype, each.dtype);
    EXPECT_EQ(rows->view.data, tensor.raw().data());
  }
}

TEST(ConvertInputTest, ImagesAreFlattenedARowAtATime) {
  EXPECT_EQ(ConvertInput(Floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}), "digits", 6)->view.width, 6);
  EXPECT_EQ(ConvertInput(Floats({2, 3, 1, 1}, {1, 2, 3, 4, 5, 6}), "digits", 3)->view.rows, 2);
}

TEST(ConvertInputTest, RefusesShapes) {
  ExpectRefused(Floats({}, {1, 2}), "input.shape is [], expected [rows, width]");
  ExpectRefused(Floats({2}, {1, 2}), "input.shape is [2], expected [rows, width]");
  ExpectRefused(Floats({1, 1, 1, 1, 2}, {1, 2}), "expected [rows, width]");
  ExpectRefused(Floats({0, 2}, {}), "send some rows");
  ExpectRefused(Floats({1, -2}, {1, 2}), "input.shape is [1, -2]; every extent must be at least 1");
  ExpectRefused(Floats({-1, -2}, {1, 2}), "every extent must be at least 1");
  ExpectRefused(Floats({1, 3}, {1, 2, 3}), "rows of 3 elements; model 'digits' takes rows of 2");
}

TEST(ConvertInputTest, RefusesShapesWhoseProductOverflows) {
  constexpr int64_t kHuge = int64_t{1} << 62;
  ExpectRefused(Floats({1, kHuge, 8}, {1, 2}), "does not fit into 64 bits");
  ExpectRefused(Floats({kHuge, 8}, {1, 2}), "does not fit into 64 bits", 8);
  // The elements fit, their bytes do not; a wrapped-around length would be 0 bytes and pass.
  v1::Tensor tensor = Raw({kHuge, 2}, v1::DTYPE_F32, 0);
  tensor.set_raw("x");
  ExpectRefused(tensor, "needs more than 64 bits can say");
}

TEST(ConvertInputTest, RefusesLengthsThatDoNotFitTheShape) {
  ExpectRefused(Floats({2, 2}, {1, 2, 3}), "input.floats has 3 elements; input.shape [2, 2] needs 4");
  ExpectRefused(Raw({2, 2}, v1::DTYPE_F16, 7), "input.raw has 7 bytes; input.shape [2, 2] of f16 needs 8");
}

TEST(ConvertInputTest, ExactlyOneOfFloatsAndRaw) {
  v1::Tensor both = Floats({1, 2}, {1, 2});
  both.set_raw("12345678");
  ExpectRefused(both, "both set");
  ExpectRefused(Floats({1, 2}, {}), "both empty");
}

TEST(ConvertInputTest, RefusesDTypes) {
  v1::Tensor tensor = Floats({1, 2}, {1, 2});
  tensor.set_dtype(v1::DTYPE_U8);
  ExpectRefused(tensor, "input.dtype is DTYPE_U8 but input.floats is set");
  tensor.set_dtype(static_cast<v1::DType>(77));
  ExpectRefused(tensor, "input.dtype is 77");
}

TEST(ConvertInputTest, CountsWhatIsNotFiniteAsZeroIfAsked) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const v1::Tensor floats = Floats({2, 2}, {nan, 2, -infinity, 4});
  const auto rows = ConvertInput(floats, "digits", 2, v1::NON_FINITE_ZERO);
  ASSERT_TRUE(rows.ok()) << rows.status();
  const auto* elements = static_cast<const float*>(rows->view.data);
  EXPECT_THAT(std::vector<float>(elements, elements + 4), ElementsAre(0, 2, 0, 4));
  EXPECT_EQ(rows->zeroed, 2);
  EXPECT_TRUE(std::isnan(floats.floats(0))) << "the message is the caller's";

  // A half and a bfloat whose bits are an infinity; bytes at an odd address.
  v1::Tensor halves = Raw({1, 2}, v1::DTYPE_F16, 4);
  const uint16_t of_half[] = {0x7C00, 0x3C00}, of_bfloat[] = {0x3F80, 0xFF80};
  std::memcpy(halves.mutable_raw()->data(), of_half, 4);
  const auto half = ConvertInput(halves, "digits", 2, v1::NON_FINITE_ZERO);
  ASSERT_TRUE(half.ok()) << half.status();
  EXPECT_EQ(std::memcmp(half->view.data, "\0\0\0\x3C", 4), 0);
  v1::Tensor bfloats = Raw({1, 2}, v1::DTYPE_BF16, 4);
  std::memcpy(bfloats.mutable_raw()->data(), of_bfloat, 4);
  EXPECT_EQ(ConvertInput(bfloats, "digits", 2, v1::NON_FINITE_ZERO)->zeroed, 1);

  const v1::Tensor finite = Floats({1, 2}, {1, 2});
  const auto same = ConvertInput(finite, "digits", 2, v1::NON_FINITE_ZERO);
  EXPECT_EQ(same->view.data, finite.floats().data()) << "copied for nothing";
  EXPECT_EQ(same->zeroed, 0);
  EXPECT_TRUE(CheckNonFinite(v1::NON_FINITE_UNSPECIFIED).ok());
  EXPECT_EQ(CheckNonFinite(static_cast<v1::NonFinite>(9)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ConvertInputTest, RefusesWhatIsNotFiniteAndSaysWhere) {
  ExpectRefused(Floats({2, 2}, {1, 2, 3, std::numeric_limits<float>::quiet_NaN()}), "input row 1, column 1 is NaN");
  ExpectRefused(Floats({2, 2}, {1, -std::numeric_limits<float>::infinity(), 3, 4}), "input row 0, column 1");
  v1::Tensor half = Raw({1, 2}, v1::DTYPE_F16, 4);
  const uint16_t infinity = 0x7C00;
  std::memcpy(half.mutable_raw()->data() + 2, &infinity, sizeof(infinity));
  ExpectRefused(half, "input row 0, column 1");
}

TEST(ConvertOptionsTest, TakesAlphaOrKOrNeither) {
  v1::EncodeOptions options;
  EXPECT_EQ(ConvertOptions(options)->k, 0);
  options.set_k(7);
  EXPECT_EQ(ConvertOptions(options)->k, 7);
  options.clear_k();
  options.set_alpha(1.5f);
  EXPECT_EQ(ConvertOptions(options)->alpha, 1.5);
}

TEST(ConvertOptionsTest, HandsBothOnForTheEncoderToRefuse) {
  v1::EncodeOptions options;
  options.set_k(1);
  options.set_alpha(2);
  EXPECT_EQ(ConvertOptions(options)->k, 1);
  EXPECT_EQ(ConvertOptions(options)->alpha, 2);
}

TEST(ConvertOptionsTest, RefusesValuesOutOfRange) {
  const auto expect_refused = [](const v1::EncodeOptions& options, const std::string& text) {
    const absl::Status status = ConvertOptions(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  };
  v1::EncodeOptions options;
  options.set_k(0);
  expect_refused(options, "options.k is 0");
  options.clear_k();
  options.set_alpha(-1);
  expect_refused(options, "options.alpha is -1");
  options.set_alpha(std::numeric_limits<float>::quiet_NaN());
  expect_refused(options, "options.alpha is nan");
}

TEST(CheckOutputTest, RefusesAnswersThatCannotBeSent) {
  EXPECT_TRUE(CheckOutput(v1::OUTPUT_MODE_DENSE, 10, 1000, 5, 1 << 16).ok());
  const absl::Status status = CheckOutput(v1::OUTPUT_MODE_DENSE, 17, 1000, 5, 1 << 16);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("at most 16 rows"), HasSubstr("ask for sparse codes")));
  EXPECT_TRUE(CheckOutput(v1::OUTPUT_MODE_SPARSE_TOPK, 17, 1000, 5, 1 << 16).ok());
  EXPECT_EQ(CheckOutput(v1::OUTPUT_MODE_SPARSE_CSR, 2000, 1000, 5, 1 << 16).code(), absl::StatusCode::kInvalidArgument);
  // Where every activity is kept, sparse codes would be no smaller.
  EXPECT_THAT(std::string(CheckOutput(v1::OUTPUT_MODE_DENSE, 17, 1000, 1000, 1 << 16).message()),
              Not(HasSubstr("ask for sparse codes")));
}

TEST(ResolveOutputTest, FollowsTheEncoder) {
  FakeEncoder encoder(2, 4);
  EXPECT_EQ(ResolveOutput(v1::OUTPUT_MODE_UNSPECIFIED, encoder).value(), v1::OUTPUT_MODE_SPARSE_TOPK);
  for (const v1::OutputMode mode : {v1::OUTPUT_MODE_DENSE, v1::OUTPUT_MODE_SPARSE_TOPK, v1::OUTPUT_MODE_SPARSE_CSR}) {
    EXPECT_EQ(ResolveOutput(mode, encoder).value(), mode);
  }
  absl::Status status = ResolveOutput(static_cast<v1::OutputMode>(9), encoder).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("options.output is 9"));

  encoder.dense = true;
  EXPECT_EQ(ResolveOutput(v1::OUTPUT_MODE_UNSPECIFIED, encoder).value(), v1::OUTPUT_MODE_DENSE);
  EXPECT_EQ(ResolveOutput(v1::OUTPUT_MODE_SPARSE_CSR, encoder).value(), v1::OUTPUT_MODE_SPARSE_CSR);
  status = ResolveOutput(v1::OUTPUT_MODE_SPARSE_TOPK, encoder).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected OUTPUT_MODE_DENSE or OUTPUT_MODE_SPARSE_CSR"));
}

SparseCodes TwoRows() {
  SparseCodes codes;
  codes.units = 4;
  codes.row_offsets = {0, 2, 4};
  codes.indices = {0, 3, 1, 2};
  codes.values = {1, 2, 3, 4};
  return codes;
}

TEST(ConvertCodesTest, TopK) {
  v1::EncodeResponse response;
  ASSERT_TRUE(ConvertCodes(TwoRows(), v1::OUTPUT_MODE_SPARSE_TOPK, &response).ok());
  EXPECT_EQ(response.top_k().k(), 2);
  EXPECT_THAT(response.top_k().indices(), ElementsAre(0, 3, 1, 2));
  EXPECT_THAT(response.top_k().values(), ElementsAre(1, 2, 3, 4));
}

TEST(ConvertCodesTest, DenseByNature) {
  const std::vector<float> elements = {1, 0, 0, 0, 0, 0, 0, -2, 3};
  Tensor dense(DType::kF32, {3, 3});
  std::copy(elements.begin(), elements.end(), dense.as<float>());
  const Codes codes = std::move(dense);
  v1::EncodeResponse response;
  ASSERT_TRUE(ConvertCodes(codes, v1::OUTPUT_MODE_DENSE, &response).ok());
  EXPECT_THAT(response.dense().shape(), ElementsAre(3, 3));
  EXPECT_EQ(response.dense().dtype(), v1::DTYPE_F32);
  EXPECT_THAT(response.dense().floats(), ElementsAreArray(elements));
  ASSERT_TRUE(ConvertCodes(codes, v1::OUTPUT_MODE_SPARSE_CSR, &response).ok());
  EXPECT_THAT(response.csr().row_offsets(), ElementsAre(0, 1, 1, 3));
  EXPECT_THAT(response.csr().indices(), ElementsAre(0, 1, 2));
  EXPECT_THAT(response.csr().values(), ElementsAre(1, -2, 3));
}

TEST(ConvertCodesTest, Dense) {
  v1::EncodeResponse response;
  ASSERT_TRUE(ConvertCodes(TwoRows(), v1::OUTPUT_MODE_DENSE, &response).ok());
  EXPECT_THAT(response.dense().shape(), ElementsAre(2, 4));
  EXPECT_EQ(response.dense().dtype(), v1::DTYPE_F32);
  EXPECT_THAT(response.dense().floats(), ElementsAre(1, 0, 0, 2, 0, 3, 4, 0));
}

TEST(ConvertCodesTest, Csr) {
  v1::EncodeResponse response;
  ASSERT_TRUE(ConvertCodes(TwoRows(), v1::OUTPUT_MODE_SPARSE_CSR, &response).ok());
  EXPECT_THAT(response.csr().row_offsets(), ElementsAre(0, 2, 4));
  EXPECT_THAT(response.csr().indices(), ElementsAre(0, 3, 1, 2));
  EXPECT_THAT(response.csr().values(), ElementsAre(1, 2, 3, 4));
}

TEST(ConvertCodesTest, RaggedCodesHaveNoRectangularLayout) {
  SparseCodes codes = TwoRows();
  codes.row_offsets = {0, 1, 4};
  v1::EncodeResponse response;
  const absl::Status status = ConvertCodes(codes, v1::OUTPUT_MODE_SPARSE_TOPK, &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("OUTPUT_MODE_SPARSE_CSR"));
}

}  // namespace
}  // namespace kwta::server
