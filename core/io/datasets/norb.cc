#include "core/io/datasets/norb.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/array_bytes.h"
#include "core/io/byte_source.h"

namespace kwta {
namespace {

constexpr uint32_t kByteMatrix = 0x1E3D4C55;
constexpr uint32_t kIntegerMatrix = 0x1E3D4C54;
constexpr uint32_t kMaxNorbDimensions = 8;
constexpr int32_t kMaxLabel = 65'535;

uint32_t LittleEndian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
}

constexpr DType ElementsOf(uint32_t magic) { return magic == kByteMatrix ? DType::kU8 : DType::kI32; }

// Reads the extents of a matrix of the element type of `magic`, u8 or i32, and proves that the file can hold its
// elements. A header has at least three extents; those beyond the number of dimensions mean nothing.
absl::StatusOr<Shape> ReadMatrixShape(ByteSource& source, uint32_t magic) {
  std::array<uint8_t, 8> first;
  KWTA_RETURN_IF_ERROR(source.Read(first.data(), first.size(), "first fields"));
  if (LittleEndian(first.data()) != magic) {
    return source.Corrupt(
        absl::StrFormat("not the NORB file that its name says: it starts with 0x%08x, expected 0x%08x",
                        LittleEndian(first.data()), magic));
  }
  const uint32_t dimensions = LittleEndian(first.data() + 4);
  if (dimensions < 1 || dimensions > kMaxNorbDimensions) {
    return source.Corrupt(
        absl::StrCat("NORB file has ", dimensions, " dimensions; expected 1 to ", kMaxNorbDimensions));
  }
  std::array<uint8_t, 4 * kMaxNorbDimensions> extents;
  KWTA_RETURN_IF_ERROR(source.Read(extents.data(), 4 * std::max<uint32_t>(3, dimensions), "extents"));
  Shape shape;
  for (uint32_t i = 0; i < dimensions; ++i) shape.push_back(LittleEndian(extents.data() + 4 * i));
  const std::optional<uint64_t> bytes = ArrayBytes(ElementsOf(magic), shape);
  if (!bytes) return source.Corrupt("NORB file has extents whose product overflows");
  if (*bytes > source.available()) {
    return source.Corrupt(absl::StrCat("NORB file is cut short: its elements ", ShapeString(shape), " need ", *bytes,
                                       " bytes, more than a file of this length can hold"));
  }
  if (*bytes > kMaxDatasetBytes) {
    return absl::InvalidArgumentError(absl::StrCat("'", source.path(), "' has ", *bytes, " bytes of elements; at most ",
                                                   kMaxDatasetBytes, " are accepted"));
  }
  return shape;
}

// Reads such a matrix.
absl::StatusOr<Tensor> ReadMatrix(const std::string& path, uint32_t magic) {
  KWTA_ASSIGN_OR_RETURN(ByteSource source, ByteSource::Open(path, "NORB"));
  KWTA_ASSIGN_OR_RETURN(Shape shape, ReadMatrixShape(source, magic));
  const DType dtype = ElementsOf(magic);
  Tensor tensor(dtype, std::move(shape));
  KWTA_RETURN_IF_ERROR(source.Read(tensor.data(), tensor.bytes(), "elements"));
  KWTA_RETURN_IF_ERROR(source.ExpectEnd(tensor.bytes()));
  if (dtype == DType::kI32) {
    uint32_t* words = tensor.as<uint32_t>();
    for (int64_t i = 0; i < tensor.elements(); ++i) {
      words[i] = LittleEndian(reinterpret_cast<const uint8_t*>(words + i));
    }
  }
  return tensor;
}

absl::Status CheckAreImages(const std::string& path, const Shape& shape) {
  if (shape.size() == 4) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat("'", path, "' has shape ", ShapeString(shape), "; expected [rows, views, height, width]"));
}

}  // namespace

absl::StatusOr<DatasetSummary> SummariseNorb(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(ByteSource source, ByteSource::Open(path, "NORB"));
  KWTA_ASSIGN_OR_RETURN(const Shape shape, ReadMatrixShape(source, kByteMatrix));
  KWTA_RETURN_IF_ERROR(CheckAreImages(path, shape));
  return DatasetSummary{shape[0], {shape[1], shape[2], shape[3]}, DTypeName(DType::kU8), true, 0, {}};
}

bool IsNorbImages(absl::string_view name) {
  return absl::EndsWith(name, "-dat.mat") || absl::EndsWith(name, "-dat.mat.gz");
}

absl::StatusOr<StoredRows> ReadNorb(const std::string& name,
                                    const std::function<absl::StatusOr<std::string>(const std::string&)>& resolve) {
  KWTA_ASSIGN_OR_RETURN(const std::string path, resolve(name));
  KWTA_ASSIGN_OR_RETURN(Tensor images, ReadMatrix(path, kByteMatrix));
  KWTA_RETURN_IF_ERROR(CheckAreImages(path, images.shape()));
  if (images.elements() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' has shape ", ShapeString(images.shape()), "; it holds no rows to use"));
  }
  // Finds the companion of `kind`, compressed or not; nullopt if there is none.
  const std::string stem(absl::StripSuffix(absl::StripSuffix(name, ".gz"), "dat.mat"));
  const auto companion = [&](const char* kind) -> absl::StatusOr<std::optional<Tensor>> {
    for (const char* ending : {".mat", ".mat.gz"}) {
      const absl::StatusOr<std::string> found = resolve(absl::StrCat(stem, kind, ending));
      if (absl::IsNotFound(found.status())) continue;
      if (!found.ok()) return found.status();
      KWTA_ASSIGN_OR_RETURN(Tensor tensor, ReadMatrix(*found, kIntegerMatrix));
      if (tensor.shape().front() != images.shape().front()) {
        return absl::DataLossError(absl::StrCat("'", *found, "' has shape ", ShapeString(tensor.shape()), ", but '",
                                                path, "' has ", images.shape().front(), " rows"));
      }
      return std::optional<Tensor>(std::move(tensor));
    }
    return std::optional<Tensor>();
  };
  KWTA_RETURN_IF_ERROR(companion("info").status());
  KWTA_ASSIGN_OR_RETURN(const std::optional<Tensor> categories, companion("cat"));
  if (!categories) {
    return absl::NotFoundError(
        absl::StrCat("the labels of '", path, "' were not found; expected '", stem, "cat.mat' or with .gz beside it"));
  }
  if (categories->elements() != images.shape().front()) {
    return absl::DataLossError(absl::StrCat("the labels of '", path, "' have shape ", ShapeString(categories->shape()),
                                            "; expected one for each of ", images.shape().front(), " rows"));
  }
  std::vector<int32_t> labels(categories->as<int32_t>(), categories->as<int32_t>() + categories->elements());
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] > kMaxLabel) {
      return absl::DataLossError(
          absl::StrCat("the labels of '", path, "' have ", labels[i], " at row ", i, "; expected 0 to ", kMaxLabel));
    }
  }
  return RowsOfTensor(path, std::move(images), std::move(labels));
}

}  // namespace kwta
