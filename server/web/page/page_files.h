// The files of the status page, which the build puts into the program.
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace kwta::server {

struct PageFile {
  absl::string_view name;  // "style.css"
  absl::string_view contents;
};

absl::Span<const PageFile> PageFiles();

}  // namespace kwta::server
