#include "core/io/arrays/safetensors.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/io/arrays/safetensors_header.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::safetensors_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// A file of the format, made by hand.
std::string Bytes(absl::string_view json, absl::string_view data) {
  return absl::StrCat(LittleEndian(json.size(), 8), json, data);
}

absl::Status ReadBytes(absl::string_view contents) {
  const TemporaryDirectory directory;
  return ReadSafetensors(directory.Write("a.safetensors", contents)).status();
}

// The status of reading a header of one tensor "w" with these fields, and 8 bytes of data.
absl::Status ReadEntry(absl::string_view fields) {
  return ReadBytes(Bytes(absl::StrCat("{\"w\":{", fields, "}}"), "12345678"));
}

TensorMap SomeTensors() {
  TensorMap tensors;
  tensors["bytes"] = MakeTensor<uint8_t>(DType::kU8, {3}, {1, 2, 255});
  tensors["empty"] = Tensor(DType::kF32, {0, 5});
  tensors["half"] = MakeTensor<uint16_t>(DType::kF16, {1, 1, 1}, {0x3C00});
  tensors["long"] = MakeTensor<int64_t>(DType::kI64, {2}, {-1, int64_t{1} << 40});
  tensors["scalar"] = MakeTensor<float>(DType::kF32, {}, {1.5f});
  tensors["w"] = MakeTensor<float>(DType::kF32, {2, 3}, {0, 1, 2, 3, 4, -5});
  return tensors;
}

TEST(SafetensorsTest, RoundTrip) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("a.safetensors");
  const TensorMap tensors = SomeTensors();
  ASSERT_THAT(WriteSafetensors(path, tensors, {{"format", "kwta"}, {"quote", "\"\n\xC3\xA9"}}), IsOk());
  const auto file = ReadSafetensors(path);
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(file->metadata, ElementsAre(Pair("format", "kwta"), Pair("quote", "\"\n\xC3\xA9")));
  ASSERT_EQ(file->tensors.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor& read = file->tensors.at(name);
    EXPECT_EQ(read.dtype(), tensor.dtype()) << name;
    EXPECT_EQ(read.shape(), tensor.shape()) << name;
    ASSERT_EQ(read.bytes(), tensor.bytes()) << name;
    EXPECT_TRUE(tensor.bytes() == 0 || std::memcmp(read.data(), tensor.data(), tensor.bytes()) == 0) << name;
  }
  EXPECT_THAT(directory.List(), ElementsAre("a.safetensors"));
}

TEST(SafetensorsTest, WritesTheseBytes) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("a.safetensors");
  TensorMap tensors;
  tensors["a"] = MakeTensor<uint8_t>(DType::kU8, {1}, {7});
  tensors["b"] = MakeTensor<float>(DType::kF32, {1, 1}, {1.0f});
  ASSERT_THAT(WriteSafetensors(path, tensors, {{"k", "v"}}), IsOk());
  // The wider type comes first; spaces bring the data to a multiple of 64.
  std::string json = R"({"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},)"
                     R"("a":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}})";
  json.resize(192 - 8, ' ');
  EXPECT_EQ(ReadAll(path), Bytes(json, absl::string_view("\0\0\x80\x3F\x07", 5)));
}

TEST(SafetensorsTest, ReadsAFileMadeByHand) {
  const TemporaryDirectory directory;
  const std::string json =
      R"({ "b" : {"data_offsets":[2,10], "shape":[1,2], "dtype":"F32"}, "a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]}}  )";
  const auto file =
      ReadSafetensors(directory.Write("a", Bytes(json, absl::string_view("\x80\x3F\0\0\0\x40\0\0\x40\xC0", 10))));
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->tensors.at("b").as<float>()[0], 2.0f);
  EXPECT_EQ(file->tensors.at("b").as<float>()[1], -3.0f);
  EXPECT_EQ(file->tensors.at("b").shape(), (Shape{1, 2}));
  EXPECT_EQ(file->tensors.at("a").dtype(), DType::kBF16);
  EXPECT_EQ(file->tensors.at("a").as<uint16_t>()[0], 0x3F80);

  const auto none = ReadSafetensors(directory.Write("none", Bytes("{}", "")));
  ASSERT_THAT(none, IsOk());
  EXPECT_THAT(none->tensors, IsEmpty());
}

TEST(SafetensorsTest, EveryTruncationIsDataLoss) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("a");
  ASSERT_THAT(WriteSafetensors(path, SomeTensors(), {{"format", "kwta"}}), IsOk());
  const std::string whole = ReadAll(path);
  for (size_t length = 0; length < whole.size(); ++length) {
    directory.Write("cut", absl::string_view(whole).substr(0, length));
    EXPECT_THAT(ReadSafetensors(directory.File("cut")), StatusIs(StatusCode::kDataLoss, "cut'")) << length;
  }
  EXPECT_THAT(ReadBytes(whole + "x"), StatusIs(StatusCode::kDataLoss, "its tensors need"));
}

TEST(SafetensorsTest, RefusesHeaderLengthsThatCannotBe) {
  EXPECT_THAT(ReadBytes(LittleEndian(~uint64_t{0}, 8) + "{}"),
              StatusIs(StatusCode::kDataLoss, "18446744073709551615 bytes"));
  EXPECT_THAT(ReadBytes(LittleEndian(100'000'001, 8) + "{}"), StatusIs(StatusCode::kDataLoss, "at most 100000000"));
  EXPECT_THAT(ReadBytes(LittleEndian(3, 8) + "{}"), StatusIs(StatusCode::kDataLoss, "only 2 follow"));
  EXPECT_THAT(ReadBytes("1234567"), StatusIs(StatusCode::kDataLoss, "not a safetensors file: 7 bytes"));
}

TEST(SafetensorsTest, RefusesOffsetsThatCannotBe) {
  EXPECT_THAT(ReadEntry(R"("dtype":"U8","shape":[9],"data_offsets":[0,9])"),
              StatusIs(StatusCode::kDataLoss, "tensor 'w' ends at 9 of the data, which has only 8"));
  EXPECT_THAT(ReadEntry(R"("dtype":"U8","shape":[8],"data_offsets":[8,0])"),
              StatusIs(StatusCode::kDataLoss, "tensor 'w' ends at 0 before it begins at 8"));
  EXPECT_THAT(ReadEntry(R"("dtype":"U8","shape":[7],"data_offsets":[1,8])"),
              StatusIs(StatusCode::kDataLoss, "'w' begins at 1"));
  EXPECT_THAT(ReadEntry(R"("dtype":"U8","shape":[7],"data_offsets":[0,7])"),
              StatusIs(StatusCode::kDataLoss, "8 bytes; its tensors need 7"));
  EXPECT_THAT(ReadEntry(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"),
              StatusIs(StatusCode::kDataLoss, "tensor 'w' occupies 8 bytes; its shape and dtype need 12"));
  EXPECT_THAT(ReadEntry(R"("dtype":"U8","shape":[8],"data_offsets":[0,18446744073709551615])"),
              StatusIs(StatusCode::kDataLoss, "tensor 'w' ends at 18446744073709551615"));
  EXPECT_THAT(
      ReadEntry(R"("dtype":"U8","shape":[8],"data_offsets":[0,18446744073709551616])"),
      StatusIs(StatusCode::kDataLoss, "tensor 'w' has a fraction, or a number that is too large in 'data_offsets'"));
  // Overlap of two tensors.
  EXPECT_THAT(
      ReadBytes(Bytes(
          R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
          "12345678")),
      StatusIs(StatusCode::kDataLoss, "tensor 'b' begins at 4 of the data; expected 5"));
}

TEST(SafetensorsTest, RefusesShapesThatOverflow) {
  // The product is 2^64 bytes, which wraps to zero.
  EXPECT_THAT(ReadEntry(R"("dtype":"F32","shape":[4294967296,1073741824],"data_offsets":[0,8])"),
              StatusIs(StatusCode::kDataLoss, "tensor 'w' has a shape whose size overflows"));
  // An extent of zero does not excuse the others.
  EXPECT_THAT(ReadEntry(R"("dtype":"U8","shape":[9223372036854775807,3,0],"data_offsets":[0,0])"),
              StatusIs(StatusCode::kDataLoss, "overflows"));
  EXPECT_THAT(ReadEntry(R"("dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,8])"),
              StatusIs(StatusCode::kDataLoss, "extent that is too large"));
}

TEST(SafetensorsTest, RefusesMalformedHeaders) {
  const std::string good = R"("dtype":"U8","shape":[8],"data_offsets":[0,8])";
  EXPECT_THAT(ReadEntry(good), IsOk());
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"("dtype":"F64","shape":[1],"data_offsets":[0,8])", "tensor 'w' has dtype 'F64'; expected one of F32, U8"},
      {R"("dtype":3,"shape":[8],"data_offsets":[0,8])", "a number in 'dtype'"},
      {R"("dtype":null,"shape":[8],"data_offsets":[0,8])", "null in 'dtype'"},
      {R"("dtype":"U8","shape":[-8],"data_offsets":[0,8])", "a negative number in 'shape'"},
      {R"("dtype":"U8","shape":[8.0],"data_offsets":[0,8])", "a fraction"},
      {R"("dtype":"U8","shape":["8"],"data_offsets":[0,8])", "a string in 'shape'"},
      {R"("dtype":"U8","shape":8,"data_offsets":[0,8])", "a number in 'shape'"},
      {R"("dtype":"U8","shape":{"a":8},"data_offsets":[0,8])", "an object in 'shape'"},
      {R"("dtype":["U8"],"shape":[8],"data_offsets":[0,8])", "an array in 'dtype'"},
      {R"("dtype":"U8","shape":[[8]],"data_offsets":[0,8])", "an array in 'shape'"},
      {R"("dtype":"U8","shape":[8],"data_offsets":[0,4,8])", "more than two data_offsets"},
      {R"("dtype":"U8","shape":[8],"data_offsets":[8])", "needs two data_offsets"},
      {R"("dtype":"U8","shape":[8])", "lacks one of dtype, shape and data_offsets"},
      {R"("dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8])", "has 'dtype' twice"},
      {good + R"(,"stride":[1])", "unknown field 'stride'"},
      {good + ",", "is not JSON"},
  };
  for (const auto& [fields, message] : cases) {
    EXPECT_THAT(ReadEntry(fields), StatusIs(StatusCode::kDataLoss, message)) << fields;
  }
  const auto header = [](absl::string_view json) { return ReadBytes(Bytes(json, "")); };
  const std::string empty = R"({"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(header(absl::StrCat(R"({"w":)", empty, R"(,"w":)", empty, "}")),
              StatusIs(StatusCode::kDataLoss, "tensor 'w' occurs twice"));
  EXPECT_THAT(header(R"({"__metadata__":{"a":1}})"), StatusIs(StatusCode::kDataLoss, "a number in 'a'"));
  EXPECT_THAT(header(R"({"__metadata__":{"a":"1","a":"2"}})"), StatusIs(StatusCode::kDataLoss, "has 'a' twice"));
  EXPECT_THAT(header(R"({"w":1})"), StatusIs(StatusCode::kDataLoss, "tensor 'w' has a number"));
  EXPECT_THAT(header("[]"), StatusIs(StatusCode::kDataLoss, "expected an object, found an array"));
  EXPECT_THAT(header("{}{}"), StatusIs(StatusCode::kDataLoss, "is not JSON"));
  EXPECT_THAT(header(""), StatusIs(StatusCode::kDataLoss, "is not JSON"));
  EXPECT_THAT(header("{\"\xFF\":1}"), StatusIs(StatusCode::kDataLoss, "is not JSON"));
}

TEST(SafetensorsTest, RefusesDeepNesting) {
  EXPECT_THAT(ReadBytes(Bytes("{\"w\":" + std::string(1'000'000, '['), "")),
              StatusIs(StatusCode::kDataLoss, "an array where none is expected"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"dtype\":";
  EXPECT_THAT(ReadBytes(Bytes(objects, "")), StatusIs(StatusCode::kDataLoss, "an object in 'dtype'"));
}

TEST(SafetensorsTest, WriterRefusesNamesThatTheFormatHasNot) {
  const TemporaryDirectory directory;
  TensorMap reserved;
  reserved["__metadata__"] = Tensor(DType::kF32, {1});
  EXPECT_THAT(WriteSafetensors(directory.File("a"), reserved, {}),
              StatusIs(StatusCode::kInvalidArgument, "__metadata__"));
  TensorMap latin1;
  latin1["caf\xE9"] = Tensor(DType::kF32, {1});
  EXPECT_THAT(WriteSafetensors(directory.File("a"), latin1, {}),
              StatusIs(StatusCode::kInvalidArgument, "must be UTF-8"));
  EXPECT_THAT(directory.List(), IsEmpty());
}

TEST(SafetensorsTest, AFullDiskLeavesNothing) {
  const TemporaryDirectory directory;
  TensorMap tensors;
  tensors["w"] = Tensor(DType::kF32, {10000});
  const FileSizeLimit limit(20000);
  EXPECT_THAT(WriteSafetensors(directory.File("a"), tensors, {}),
              StatusIs(StatusCode::kResourceExhausted, "File too large"));
  EXPECT_THAT(directory.List(), IsEmpty());
}

}  // namespace
}  // namespace kwta::safetensors_test
