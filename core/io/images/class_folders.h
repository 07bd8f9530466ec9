// Which pictures in a folder of folders belong to a data set.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/files/files.h"

namespace kwta {

// By the ending of a name.
enum class PictureKind { kNone, kPng, kJpeg, kNotRead };
PictureKind PictureKindOf(absl::string_view name);

struct ClassPicture {
  std::string name;  // relative to the folder of the classes
  std::string path;
  int32_t label;
};

struct ClassFolders {
  std::vector<ClassPicture> pictures;  // by class, by name within a class
  std::string left_out;  // a sentence that says and counts what is no part of the data set; empty: nothing
};

// The pictures of `folder`, relative to `root`. Each folder in it that holds pictures is a class; label i is the i-th
// class by name. Left out are: hidden names and those that operating systems make (__MACOSX, Thumbs.db), folders
// without pictures, pictures of kinds that are not read or that lie outside of a class's folder or below it, and other
// files. Errors: INVALID_ARGUMENT (no pictures; a class that would be left out because none of its pictures can be
// taken; a link that leads out of root and must not); as core/files/files.h says.
absl::StatusOr<ClassFolders> ListClassFolders(const std::string& root, const std::string& folder, Links links);

}  // namespace kwta
