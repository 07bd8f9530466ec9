#include "core/io/arrays/npy.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/io/arrays/npy_header.h"
#include "tests/core/io/io_test_util.h"

namespace kwta::npy_test {
namespace {

using absl::StatusCode;
using testing::ElementsAre;
using testing::IsEmpty;

// An npy file with this dictionary.
std::string Npy(absl::string_view dictionary, absl::string_view elements, int version = 1) {
  return absl::StrCat("\x93NUMPY", BigEndian(version, 1), BigEndian(0, 1),
                      LittleEndian(dictionary.size(), version == 1 ? 2 : 4), dictionary, elements);
}

std::string Dictionary(absl::string_view type, absl::string_view shape) {
  return absl::StrCat("{'descr': '", type, "', 'fortran_order': False, 'shape': ", shape, ", }");
}

absl::StatusOr<NpyFile> ReadBytes(absl::string_view contents) {
  const TemporaryDirectory directory;
  return ReadNpy(directory.Write("a.npy", contents));
}

// As numpy 1.24 wrote numpy.array([[1, -3]], dtype='<f4').
std::string NumpyFile() {
  std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  dictionary.resize(117, ' ');
  return Npy(dictionary + "\n", absl::string_view("\0\0\x80\x3F\0\0\x40\xC0", 8));
}

TEST(NpyTest, ReadsAFileOfNumpy) {
  const auto npy = ReadBytes(NumpyFile());
  ASSERT_THAT(npy, IsOk());
  EXPECT_EQ(npy->array.dtype, DType::kF32);
  EXPECT_EQ(npy->array.shape, (Shape{1, 2}));
  const float* elements = static_cast<const float*>(npy->array.data);
  EXPECT_THAT(std::vector<float>(elements, elements + 2), ElementsAre(1.0f, -3.0f));
}

TEST(NpyTest, ReadsVersionsTwoAndThreeAndOtherLayouts) {
  for (int version : {1, 2, 3}) {
    const auto npy = ReadBytes(Npy("{ 'shape':(2,),'fortran_order':False ,'descr':'|u1'}", "ab", version));
    ASSERT_THAT(npy, IsOk());
    EXPECT_EQ(npy->array.shape, (Shape{2}));
    EXPECT_EQ(std::memcmp(npy->array.data, "ab", 2), 0);
  }
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "(1,2,)"), "ab")), IsOk());
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "()"), "a")), IsOk());
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "(0, 3)"), "")), IsOk());
}

TEST(NpyTest, CopiesElementsThatAreNotAligned) {
  for (size_t padding = 0; padding < 4; ++padding) {
    const auto npy =
        ReadBytes(Npy(Dictionary("<f4", "(1,)") + std::string(padding, ' '), absl::string_view("\0\0\x80\x3F", 4)));
    ASSERT_THAT(npy, IsOk());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(npy->array.data) % 4, 0u);
    EXPECT_EQ(*static_cast<const float*>(npy->array.data), 1.0f);
  }
}

TEST(NpyTest, RoundTripOfEveryType) {
  const TemporaryDirectory directory;
  const std::string path = directory.File("a.npy");
  std::string elements(48, '\0');
  for (size_t i = 0; i < elements.size(); ++i) elements[i] = static_cast<char>(i * 5);
  for (DType dtype : {DType::kF32, DType::kF16, DType::kU8, DType::kI32, DType::kI64}) {
    const int64_t rows = 48 / 3 / static_cast<int64_t>(DTypeSize(dtype));
    ASSERT_THAT(WriteNpy(path, {dtype, {rows, 3}, elements.data()}), IsOk());
    const auto npy = ReadNpy(path);
    ASSERT_THAT(npy, IsOk());
    EXPECT_EQ(npy->array.dtype, dtype);
    EXPECT_EQ(npy->array.shape, (Shape{rows, 3}));
    EXPECT_EQ(std::memcmp(npy->array.data, elements.data(), 48), 0);
  }
  EXPECT_THAT(WriteNpy(path, {DType::kBF16, {1}, elements.data()}), StatusIs(StatusCode::kInvalidArgument, "bf16"));
}

TEST(NpyTest, WritesTheBytesOfNumpy) {
  const TemporaryDirectory directory;
  const float elements[] = {1.0f, -3.0f};
  ASSERT_THAT(WriteNpy(directory.File("a.npy"), {DType::kF32, {1, 2}, elements}), IsOk());
  EXPECT_EQ(ReadAll(directory.File("a.npy")), NumpyFile());
  EXPECT_THAT(directory.List(), ElementsAre("a.npy"));
}

TEST(NpyHeaderTest, TuplesHaveTheFormOfPython) {
  EXPECT_THAT(FormatNpyHeader("<f4", {}), testing::HasSubstr("'shape': (), }"));
  EXPECT_THAT(FormatNpyHeader("<f4", {7}), testing::HasSubstr("'shape': (7,), }"));
  EXPECT_THAT(FormatNpyHeader("<f4", {7, 8}), testing::HasSubstr("'shape': (7, 8), }"));
  for (int extents = 0; extents < 32; ++extents)
    EXPECT_EQ(FormatNpyHeader("<f4", Shape(extents, 12345)).size() % 64, 0u);
}

TEST(NpyTest, EveryTruncationIsDataLoss) {
  const std::string bytes = NumpyFile();
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_THAT(ReadBytes(absl::string_view(bytes).substr(0, length)),
                StatusIs(StatusCode::kDataLoss, length < 6 ? "not an npy file" : "a.npy': npy "))
        << length;
  }
  EXPECT_THAT(ReadBytes(bytes + "x"), StatusIs(StatusCode::kDataLoss, "need 8 bytes; the file has 9"));
}

TEST(NpyTest, RefusesOtherFiles) {
  EXPECT_THAT(ReadBytes(""), StatusIs(StatusCode::kDataLoss, "not an npy file"));
  EXPECT_THAT(ReadBytes("\x93NUMPZ\1"), StatusIs(StatusCode::kDataLoss, "not an npy file"));
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "(1,)"), "a", 4)), StatusIs(StatusCode::kInvalidArgument, "version 4"));
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "(1,)"), "a", 0)), StatusIs(StatusCode::kInvalidArgument, "version 0"));
  EXPECT_THAT(ReadNpy("/nonexistent/a.npy"), StatusIs(StatusCode::kNotFound, "/nonexistent/a.npy"));
}

TEST(NpyTest, RefusesWhatIsNotSupportedAndSaysWhatToDo) {
  EXPECT_THAT(ReadBytes(Npy(Dictionary(">f4", "(1,)"), "1234")),
              StatusIs(StatusCode::kInvalidArgument, "'>f4' are not supported; save the array with .astype('<f4')"));
  EXPECT_THAT(ReadBytes(Npy(Dictionary("<f8", "(1,)"), "12345678")),
              StatusIs(StatusCode::kInvalidArgument, "'<f8' are not supported here; save the array with"));
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|O", "(1,)"), "1")),
              StatusIs(StatusCode::kInvalidArgument, "'|O' are not supported"));
  EXPECT_THAT(ReadBytes(Npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234")),
              StatusIs(StatusCode::kInvalidArgument, "records"));
  EXPECT_THAT(ReadBytes(Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", "1234")),
              StatusIs(StatusCode::kInvalidArgument, "ascontiguousarray"));
}

// An npy file of these numbers, one a row, read as a data set.
template <typename T>
absl::StatusOr<NpyFile> ReadRows(absl::string_view type, const std::vector<T>& numbers) {
  const TemporaryDirectory directory;
  const absl::string_view bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof(T));
  // A header of 61 bytes: the elements are not aligned.
  return ReadNpyRows(directory.Write("a.npy", Npy(Dictionary(type, absl::StrCat("(", numbers.size(), ", 1)")), bytes)));
}

template <typename T>
void ExpectFloats(absl::string_view type, const std::vector<T>& numbers) {
  SCOPED_TRACE(type);
  const auto npy = ReadRows(type, numbers);
  ASSERT_THAT(npy, IsOk());
  EXPECT_EQ(npy->array.dtype, DType::kF32);
  EXPECT_EQ(npy->array.shape, (Shape{static_cast<int64_t>(numbers.size()), 1}));
  for (size_t i = 0; i < numbers.size(); ++i) {
    EXPECT_EQ(static_cast<const float*>(npy->array.data)[i], static_cast<float>(numbers[i])) << i;
  }
  EXPECT_EQ(npy->mapped, nullptr);
  EXPECT_THAT(npy->note,
              testing::HasSubstr(absl::StrCat("a.npy' holds elements of type '", type, "'; they are read as")));
}

TEST(NpyRowsTest, HoldNumbersOfOtherTypesAsFloats) {
  ExpectFloats<double>("<f8", {0, 0.1, -1e30, 3.4e38, INFINITY, -INFINITY});
  ExpectFloats<int8_t>("|i1", {-128, -1, 0, 127});
  ExpectFloats<int16_t>("<i2", {-32768, 255, 32767});
  ExpectFloats<uint16_t>("<u2", {0, 65535});
  ExpectFloats<int32_t>("<i4", {INT32_MIN, -16777216, 16777216, 1 << 30});
  ExpectFloats<uint32_t>("<u4", {0, 16777216, 1u << 31});
  ExpectFloats<int64_t>("<i8", {INT64_MIN, -16777216, int64_t{1} << 62});
  ExpectFloats<uint64_t>("<u8", {0, 255, uint64_t{1} << 63});
}

TEST(NpyRowsTest, RefuseNumbersThatDoNotFit) {
  const auto refused = [](absl::string_view type, int row) {
    return StatusIs(StatusCode::kInvalidArgument, absl::StrCat("has elements of type '", type, "'; the one at row ",
                                                               row, ", column 0 fits into no f32"));
  };
  EXPECT_THAT(ReadRows<double>("<f8", {1, 1e39, 1e300}), refused("<f8", 1));
  EXPECT_THAT(ReadRows<int32_t>("<i4", {0, 16777217}), refused("<i4", 1));
  EXPECT_THAT(ReadRows<int32_t>("<i4", {INT32_MAX}), refused("<i4", 0));
  EXPECT_THAT(ReadRows<uint32_t>("<u4", {UINT32_MAX}), refused("<u4", 0));
  EXPECT_THAT(ReadRows<int64_t>("<i8", {0, 0, INT64_MAX}), refused("<i8", 2));
  EXPECT_THAT(ReadRows<uint64_t>("<u8", {UINT64_MAX}), refused("<u8", 0));
}

TEST(NpyRowsTest, KeepTheTypesThatRowsHave) {
  const auto floats = ReadRows<float>("<f4", {1, 2});
  ASSERT_THAT(floats, IsOk());
  EXPECT_EQ(floats->array.dtype, DType::kF32);
  EXPECT_THAT(floats->note, IsEmpty());
  // One byte has no order, but MATLAB and Julia write one.
  for (const char* type : {"|u1", "<u1", ">u1"}) {
    const auto bytes = ReadRows<uint8_t>(type, {7, 8});
    ASSERT_THAT(bytes, IsOk()) << type;
    EXPECT_EQ(bytes->array.dtype, DType::kU8);
    EXPECT_EQ(static_cast<const uint8_t*>(bytes->array.data)[1], 8);
    EXPECT_THAT(bytes->note, IsEmpty());
    EXPECT_NE(bytes->mapped, nullptr);
  }
  EXPECT_THAT(ReadRows<float>("|b1", {1}), StatusIs(StatusCode::kInvalidArgument, "'|b1' are not supported"));
}

TEST(NpyTest, ReadsShapesOfPython2) {
  const auto npy = ReadBytes(Npy(Dictionary("|u1", "(1L, 2L)"), "ab"));
  ASSERT_THAT(npy, IsOk());
  EXPECT_EQ(npy->array.shape, (Shape{1, 2}));
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "(2L,)"), "ab")), IsOk());
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "(L,)"), "ab")), StatusIs(StatusCode::kDataLoss, "not a count"));
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|u1", "(2LL,)"), "ab")), StatusIs(StatusCode::kDataLoss, "expected ','"));
}

TEST(NpyTest, RefusesHostileHeaders) {
  const auto read = [](absl::string_view type, absl::string_view shape) {
    return ReadBytes(Npy(Dictionary(type, shape), "12345678")).status();
  };
  EXPECT_THAT(read("<f4", "(2,)"), IsOk());
  EXPECT_THAT(read("<f4", "(3,)"), StatusIs(StatusCode::kDataLoss, "need 12 bytes; the file has 8"));
  EXPECT_THAT(read("<f4", "(4294967296, 1073741824)"), StatusIs(StatusCode::kDataLoss, "need too many bytes"));
  EXPECT_THAT(read("<f4", "(4294967296, 4294967296, 0)"), StatusIs(StatusCode::kDataLoss, "need too many bytes"));
  EXPECT_THAT(read("<f4", "(99999999999999999999,)"), StatusIs(StatusCode::kDataLoss, "not a count of 63 bits"));
  EXPECT_THAT(read("<f4", "(-2,)"), StatusIs(StatusCode::kDataLoss, "not a count of 63 bits"));
  EXPECT_THAT(read("<f4", "(2)"), StatusIs(StatusCode::kDataLoss, "not a tuple"));
  EXPECT_THAT(read("<f4", "(2 2)"), StatusIs(StatusCode::kDataLoss, "expected ',' or ')'"));
  EXPECT_THAT(read("<f4", "(2,,)"), StatusIs(StatusCode::kDataLoss, "not a count"));
  EXPECT_THAT(read("<f4", "[2]"), StatusIs(StatusCode::kDataLoss, "not a tuple"));
  EXPECT_THAT(read("<f4", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2)"),
              StatusIs(StatusCode::kDataLoss, "more than 32 dimensions"));
  EXPECT_THAT(read("<f4", "__import__('os')"), StatusIs(StatusCode::kDataLoss, "not a tuple"));

  const auto dictionary = [](absl::string_view text) { return ReadBytes(Npy(text, "12345678")).status(); };
  EXPECT_THAT(dictionary(""), StatusIs(StatusCode::kDataLoss, "expected '{'"));
  EXPECT_THAT(dictionary("{}"), StatusIs(StatusCode::kDataLoss, "expected the keys"));
  EXPECT_THAT(dictionary("{'descr': '<f4'"), StatusIs(StatusCode::kDataLoss, "expected ',' or '}'"));
  EXPECT_THAT(dictionary("{'descr': '<f4', 'descr': '<f4'}"), StatusIs(StatusCode::kDataLoss, "'descr' occurs twice"));
  EXPECT_THAT(dictionary("{'descr' '<f4'}"), StatusIs(StatusCode::kDataLoss, "expected ':'"));
  EXPECT_THAT(dictionary("{'descr': '<f4}"), StatusIs(StatusCode::kDataLoss, "does not end"));
  EXPECT_THAT(dictionary("{'extra': 1}"), StatusIs(StatusCode::kDataLoss, "unknown key 'extra'"));
  EXPECT_THAT(dictionary("{'fortran_order': 0}"), StatusIs(StatusCode::kDataLoss, "neither True nor False"));
  EXPECT_THAT(dictionary(Dictionary("<f4", "(2,)") + "x"), StatusIs(StatusCode::kDataLoss, "text follows"));
  EXPECT_THAT(ReadBytes(absl::StrCat("\x93NUMPY\x02", BigEndian(0, 1), LittleEndian(0xFFFFFFFF, 4))),
              StatusIs(StatusCode::kDataLoss, "at most 1048576"));
}

TEST(NpyTest, AFullDiskLeavesNothing) {
  const TemporaryDirectory directory;
  const std::vector<float> elements(10000);
  const FileSizeLimit limit(1000);
  EXPECT_THAT(WriteNpy(directory.File("a.npy"), {DType::kF32, {10000}, elements.data()}),
              StatusIs(StatusCode::kResourceExhausted, "a.npy"));
  EXPECT_THAT(directory.List(), IsEmpty());
}

}  // namespace
}  // namespace kwta::npy_test
