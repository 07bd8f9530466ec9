#include "core/io/arrays/npy.h"

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
              StatusIs(StatusCode::kInvalidArgument, "'<f8' are not supported"));
  EXPECT_THAT(ReadBytes(Npy(Dictionary("|O", "(1,)"), "1")),
              StatusIs(StatusCode::kInvalidArgument, "'|O' are not supported"));
  EXPECT_THAT(ReadBytes(Npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "1234")),
              StatusIs(StatusCode::kInvalidArgument, "records"));
  EXPECT_THAT(ReadBytes(Npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", "1234")),
              StatusIs(StatusCode::kInvalidArgument, "ascontiguousarray"));
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
