#include "core/io/bundle_files.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace kwta {

absl::Status CheckIsNoLink(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_symlink(path, ignored)) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("'", path, "' is a symbolic link; put the file itself into the bundle"));
}

}  // namespace kwta
