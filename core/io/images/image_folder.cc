#include "core/io/images/image_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/images/jpeg.h"
#include "core/io/images/png.h"

namespace kwta {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 26;  // of an image: more than any that is trained on whole
constexpr uint64_t kMaxImageFileBytes = uint64_t{1} << 29;

bool IsPng(absl::string_view name) { return absl::EndsWithIgnoreCase(name, ".png"); }
bool IsJpeg(absl::string_view name) {
  return absl::EndsWithIgnoreCase(name, ".jpg") || absl::EndsWithIgnoreCase(name, ".jpeg");
}

struct ImageFile {
  std::string name;  // relative to the folder
  std::string path;
  int32_t label;
};

absl::StatusOr<Image> ReadImage(const ImageFile& file) {
  KWTA_ASSIGN_OR_RETURN(const std::string contents, ReadFile(file.path, kMaxImageFileBytes));
  return IsPng(file.name) ? DecodePng(contents, file.name, kMaxPixels) : DecodeJpeg(contents, file.name, kMaxPixels);
}

std::string Extents(const Image& image) {
  return absl::StrCat(image.height, " x ", image.width, image.channels == 1 ? " grey" : " RGB", " pixels");
}

// From channels side by side to plane by plane.
void CopyPlanes(const Image& image, uint8_t* out) {
  const int64_t pixels = image.height * image.width;
  for (int64_t p = 0; p < pixels; ++p) {
    for (int64_t c = 0; c < image.channels; ++c) out[c * pixels + p] = image.pixels[p * image.channels + c];
  }
}

absl::StatusOr<std::vector<ImageFile>> ListImages(const std::string& root, const std::string& folder,
                                                  const std::vector<std::string>& classes) {
  std::vector<ImageFile> files;
  int32_t label = 0;
  for (const std::string& name : classes) {
    KWTA_ASSIGN_OR_RETURN(const std::string path, PathWithin(root, absl::StrCat(folder, "/", name)));
    std::error_code ignored;  // What cannot be looked at is no folder.
    if (!std::filesystem::is_directory(path, ignored)) continue;
    KWTA_ASSIGN_OR_RETURN(const std::vector<std::string> images, NamesInFolder(path));
    for (const std::string& image : images) {
      if (!IsPng(image) && !IsJpeg(image)) continue;
      const std::string relative = absl::StrCat(name, "/", image);
      KWTA_ASSIGN_OR_RETURN(std::string file, PathWithin(root, absl::StrCat(folder, "/", relative)));
      files.push_back({relative, std::move(file), label});
    }
    ++label;
  }
  if (files.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "folder '", folder,
        "' holds no data set; expected a folder of .png or .jpg images for each class, the binary batches of CIFAR-10 "
        "(data_batch_1.bin, ...), or files of small NORB (-dat.mat)"));
  }
  return files;
}

}  // namespace

absl::StatusOr<StoredRows> ReadImageFolder(const std::string& root, const std::string& folder,
                                           const std::vector<std::string>& classes) {
  KWTA_ASSIGN_OR_RETURN(const std::vector<ImageFile> files, ListImages(root, folder, classes));
  Tensor rows;
  Image first;
  std::vector<int32_t> labels;
  const int64_t count = static_cast<int64_t>(files.size());
  for (const ImageFile& file : files) {
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
  return RowsOfTensor(folder, std::move(rows), std::move(labels));
}

}  // namespace kwta
