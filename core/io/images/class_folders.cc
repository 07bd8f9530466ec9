#include "core/io/images/class_folders.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEndingsNotRead[] = {".gif", ".tif", ".tiff", ".ppm",  ".pgm",  ".pbm", ".pnm",
                                           ".jp2", ".jxl", ".avif", ".heic", ".heif", ".jpe", ".jfif",
                                           ".tga", ".ico", ".svg",  ".dng",  ".psd"};

// macOS, Windows, Linux and network drives make these beside or around users' own files.
constexpr const char* kSystemNames[] = {"__MACOSX",
                                        "Thumbs.db",
                                        "ehthumbs.db",
                                        "desktop.ini",
                                        "$RECYCLE.BIN",
                                        "lost+found",
                                        "@eaDir",
                                        "#recycle",
                                        "@Recycle",
                                        "Icon\r",
                                        "System Volume Information"};

bool IsSystemName(absl::string_view name) {
  if (name.front() == '.') return true;
  return std::any_of(std::begin(kSystemNames), std::end(kSystemNames),
                     [name](const char* known) { return absl::EqualsIgnoreCase(name, known); });
}

// Returns the names in a folder, sorted, including hidden ones.
absl::StatusOr<std::vector<std::string>> AllNames(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return FileError(error.value(), "read", path);
  std::sort(names.begin(), names.end());
  return names;
}

// Returns whether a folder holds a picture at any depth. A folder that cannot be examined holds none.
bool HoldsPictures(const std::string& path) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied, error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code ignored;
    if (IsSystemName(name)) {
      entry.disable_recursion_pending();
    } else if (PictureKindOf(name) != PictureKind::kNone && !entry->is_directory(ignored)) {
      return true;
    }
  }
  return false;
}

// Counts what is not part of a data set, by reason.
class LeftOut {
 public:
  enum Reason { kKind, kBelow, kOutside, kNoPictures, kOtherFile, kSystem, kReasons };

  void Add(Reason reason, std::string name) {
    if (counts_[reason]++ == 0) first_[reason] = std::move(name);
  }
  int64_t count(Reason reason) const { return counts_[reason]; }
  const std::string& first(Reason reason) const { return first_[reason]; }
  void Add(const LeftOut& other) {
    for (int i = 0; i < kReasons; ++i) {
      if (counts_[i] == 0) first_[i] = other.first_[i];
      counts_[i] += other.counts_[i];
    }
  }

  // Returns an empty string if nothing was left out.
  std::string Sentence(const std::string& folder) const {
    constexpr const char* kWhat[kReasons] = {
        "of a kind of picture that is not read (expected .png, .jpg, .jpeg, .webp or .bmp)",
        "a folder with pictures below a class's own folder",
        "a picture outside of the classes' folders",
        "a folder without pictures, which is no class",
        "a file that is no picture",
        "hidden, or of an operating system"};
    std::vector<std::string> parts;
    for (int i = 0; i < kReasons; ++i) {
      if (counts_[i] == 0) continue;
      parts.push_back(absl::StrCat(counts_[i], " ", kWhat[i], ": '", first_[i], "'", counts_[i] > 1 ? ", ..." : ""));
    }
    if (parts.empty()) return "";
    return absl::StrCat("left out of folder '", folder, "': ", absl::StrJoin(parts, "; "));
  }

 private:
  std::array<int64_t, kReasons> counts_ = {};
  std::array<std::string, kReasons> first_;
};

// The contents of one class's folder.
struct ClassFolder {
  std::vector<std::string> pictures;  // names
  LeftOut left_out;
};

absl::StatusOr<ClassFolder> LookInto(const std::string& path, const std::string& name) {
  ClassFolder found;
  KWTA_ASSIGN_OR_RETURN(const std::vector<std::string> entries, AllNames(path));
  for (const std::string& entry : entries) {
    const std::string full = absl::StrCat(path, "/", entry), shown = absl::StrCat(name, "/", entry);
    const PictureKind kind = PictureKindOf(entry);
    std::error_code ignored;  // A path that cannot be examined is no folder.
    if (IsSystemName(entry)) {
      found.left_out.Add(LeftOut::kSystem, shown);
    } else if (fs::is_directory(full, ignored)) {
      found.left_out.Add(HoldsPictures(full) ? LeftOut::kBelow : LeftOut::kNoPictures, shown);
    } else if (kind == PictureKind::kNone) {
      found.left_out.Add(LeftOut::kOtherFile, shown);
    } else if (kind == PictureKind::kNotRead) {
      found.left_out.Add(LeftOut::kKind, shown);
    } else {
      found.pictures.push_back(entry);
    }
  }
  return found;
}

// Refuses a class that would vanish, because every later class would then have another number.
absl::Status CheckNotLost(const std::string& folder, const std::string& name, const LeftOut& left_out) {
  if (left_out.count(LeftOut::kKind) > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("class '", name, "' of folder '", folder, "' has pictures only of kinds that are not read ('",
                     left_out.first(LeftOut::kKind), "'); save them as .png or .jpg, or move the folder away"));
  }
  if (left_out.count(LeftOut::kBelow) > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("class '", name, "' of folder '", folder, "' has its pictures in folders further down ('",
                     left_out.first(LeftOut::kBelow), "'); move them into the class's own folder"));
  }
  return absl::OkStatus();
}

// Looks into each class of `folder`, in the order of their numbers, and calls `visit` with its name and contents.
// Returns the sentence of ClassFolders::left_out. Errors: those of ListClassFolders and of `visit`.
absl::StatusOr<std::string> VisitClasses(
    const std::string& root, const std::string& folder, Links links,
    const std::function<absl::Status(const std::string& name, const ClassFolder& of_class)>& visit) {
  KWTA_ASSIGN_OR_RETURN(const std::string path, PathWithin(root, folder, links));
  KWTA_ASSIGN_OR_RETURN(const std::vector<std::string> names, AllNames(path));
  LeftOut left_out;
  bool any = false;
  for (const std::string& name : names) {
    if (IsSystemName(name)) {
      left_out.Add(LeftOut::kSystem, name);
      continue;
    }
    KWTA_ASSIGN_OR_RETURN(const std::string class_path, PathWithin(root, absl::StrCat(folder, "/", name), links));
    std::error_code ignored;  // A path that cannot be examined is no folder.
    if (!fs::is_directory(class_path, ignored)) {
      left_out.Add(PictureKindOf(name) == PictureKind::kNone ? LeftOut::kOtherFile : LeftOut::kOutside, name);
      continue;
    }
    KWTA_ASSIGN_OR_RETURN(const ClassFolder of_class, LookInto(class_path, name));
    if (of_class.pictures.empty()) {
      KWTA_RETURN_IF_ERROR(CheckNotLost(folder, name, of_class.left_out));
      left_out.Add(LeftOut::kNoPictures, name);
      continue;
    }
    left_out.Add(of_class.left_out);
    KWTA_RETURN_IF_ERROR(visit(name, of_class));
    any = true;
  }
  std::string sentence = left_out.Sentence(folder);
  if (any) return sentence;
  return absl::InvalidArgumentError(absl::StrCat("folder '", folder,
                                                 "' holds no data set; expected a folder of .png, .jpg, .webp or .bmp "
                                                 "images for each class, the binary batches of CIFAR-10 "
                                                 "(data_batch_1.bin, ...), or files of small NORB (-dat.mat)",
                                                 sentence.empty() ? "" : "; ", sentence));
}

}  // namespace

PictureKind PictureKindOf(absl::string_view name) {
  const auto ends = [name](absl::string_view ending) { return absl::EndsWithIgnoreCase(name, ending); };
  if (ends(".png")) return PictureKind::kPng;
  if (ends(".jpg") || ends(".jpeg")) return PictureKind::kJpeg;
  if (ends(".webp")) return PictureKind::kWebp;
  if (ends(".bmp")) return PictureKind::kBmp;
  return std::any_of(std::begin(kEndingsNotRead), std::end(kEndingsNotRead), ends) ? PictureKind::kNotRead
                                                                                   : PictureKind::kNone;
}

absl::StatusOr<ClassCounts> CountClassFolders(const std::string& root, const std::string& folder, Links links) {
  ClassCounts counts;
  const auto count = [&](const std::string&, const ClassFolder& of_class) {
    counts.pictures += static_cast<int64_t>(of_class.pictures.size());
    ++counts.classes;
    return absl::OkStatus();
  };
  KWTA_ASSIGN_OR_RETURN(counts.left_out, VisitClasses(root, folder, links, count));
  return counts;
}

absl::StatusOr<ClassFolders> ListClassFolders(const std::string& root, const std::string& folder, Links links) {
  ClassFolders found;
  int32_t label = 0;
  const auto list = [&](const std::string& name, const ClassFolder& of_class) -> absl::Status {
    for (const std::string& picture : of_class.pictures) {
      const std::string relative = absl::StrCat(name, "/", picture);
      KWTA_ASSIGN_OR_RETURN(std::string file, PathWithin(root, absl::StrCat(folder, "/", relative), links));
      found.pictures.push_back({relative, std::move(file), label});
    }
    ++label;
    return absl::OkStatus();
  };
  KWTA_ASSIGN_OR_RETURN(found.left_out, VisitClasses(root, folder, links, list));
  return found;
}

}  // namespace kwta
