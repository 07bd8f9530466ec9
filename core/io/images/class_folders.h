// Selects the pictures of a data set from a folder of class folders.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/files/files.h"

namespace kwta {

// What the ending of a name says.
enum class PictureKind { kNone, kPng, kJpeg, kWebp, kBmp, kNotRead };
PictureKind PictureKindOf(absl::string_view name);

struct ClassPicture {
  std::string name;  // relative to the folder of the classes
  std::string path;
  int32_t label;
};

struct ClassFolders {
  std::vector<ClassPicture> pictures;  // by class, then by name
  std::string left_out;                // a sentence that counts what is not part of the data set; empty if nothing
};

struct ClassCounts {
  int64_t pictures = 0;
  int32_t classes = 0;
  std::string left_out;  // as in ClassFolders
};

// Counts the classes of `folder` and their pictures, without a look at the pictures. Errors: as ListClassFolders, but
// for links of pictures.
absl::StatusOr<ClassCounts> CountClassFolders(const std::string& root, const std::string& folder, Links links);

// Lists the pictures of `folder`, relative to `root`. Each folder in it that holds pictures is a class; label i is the
// i-th class by name. Leaves out hidden names and those that operating systems make (__MACOSX, Thumbs.db), folders
// without pictures, pictures of kinds that are not read or that lie outside of a class's folder or below it, and other
// files. Errors: INVALID_ARGUMENT (no pictures; a class that would vanish because none of its pictures can be taken; a
// link that leads out of root and must not); also see core/files/files.h.
absl::StatusOr<ClassFolders> ListClassFolders(const std::string& root, const std::string& folder, Links links);

}  // namespace kwta
