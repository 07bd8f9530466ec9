#include "core/io/images/image_folder.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/images/bmp.h"
#include "core/io/images/class_folders.h"
#include "core/io/images/jpeg.h"
#include "core/io/images/png.h"
#include "core/io/images/webp.h"

namespace kwta {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 26;  // in an image: more than any that is trained on whole
constexpr uint64_t kMaxImageFileBytes = uint64_t{1} << 29;

absl::StatusOr<Image> ReadImage(const ClassPicture& picture) {
  KWTA_ASSIGN_OR_RETURN(const std::string contents, ReadFile(picture.path, kMaxImageFileBytes));
  switch (PictureKindOf(picture.name)) {
    case PictureKind::kPng:
      return DecodePng(contents, picture.name, kMaxPixels);
    case PictureKind::kWebp:
      return DecodeWebp(contents, picture.name, kMaxPixels);
    case PictureKind::kBmp:
      return DecodeBmp(contents, picture.name, kMaxPixels);
    default:
      return DecodeJpeg(contents, picture.name, kMaxPixels);
  }
}

std::string Extents(const Image& image) {
  return absl::StrCat(image.height, " x ", image.width, image.channels == 1 ? " grey" : " RGB", " pixels");
}

// Converts interleaved channels to planes.
void CopyPlanes(const Image& image, uint8_t* out) {
  const int64_t pixels = image.height * image.width;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < image.channels; ++c) out[c * pixels + p] = image.pixels[p * image.channels + c];
  }
}

}  // namespace

absl::StatusOr<StoredRows> ReadImageFolder(const std::string& root, const std::string& folder, Links links) {
  KWTA_ASSIGN_OR_RETURN(ClassFolders listed, ListClassFolders(root, folder, links));
  const std::vector<ClassPicture>& files = listed.pictures;
  Tensor rows;
  Image first;
  std::vector<int32_t> labels;
  const int64_t count = static_cast<int64_t>(files.size());
  for (const ClassPicture& file : files) {
    KWTA_ASSIGN_OR_RETURN(Image image, ReadImage(file));
    const int64_t bytes = static_cast<int64_t>(image.pixels.size());
    if (labels.empty()) {
      if (count > static_cast<int64_t>(kMaxDatasetBytes) / bytes) {
        return absl::InvalidArgumentError(absl::StrCat("folder '", folder, "' has ", count, " images of ",
                                                       Extents(image), "; at most ", kMaxDatasetBytes,
                                                       " bytes are accepted"));
      }
      rows = Tensor(DType::kU8, {count, image.channels, image.height, image.width});
      first = Image{image.channels, image.height, image.width, {}};
    } else if (image.channels != first.channels || image.height != first.height || image.width != first.width) {
      return absl::InvalidArgumentError(absl::StrCat("'", file.name, "' has ", Extents(image), ", but '", files[0].name,
                                                     "' has ", Extents(first),
                                                     "; all images of a data set must have the same"));
    }
    CopyPlanes(image, rows.as<uint8_t>() + static_cast<int64_t>(labels.size()) * bytes);
    labels.push_back(file.label);
  }
  StoredRows stored = RowsOfTensor(folder, std::move(rows), std::move(labels));
  if (!listed.left_out.empty()) stored.notes.push_back(std::move(listed.left_out));
  return stored;
}

}  // namespace kwta
