// UTF-8 checks and repairs, for text that may not be UTF-8, such as file names and other programs' messages.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kwta {

// Follows protobuf and JSON: no overlong form, no half of a surrogate pair, nothing above U+10FFFF.
bool IsUtf8(absl::string_view text);

// Replaces each byte that belongs to no character by U+FFFD.
std::string ToUtf8(absl::string_view text);

// ToUtf8, with control characters other than line ends and tabs written as \u001b, so that they cannot drive a
// terminal. The text keeps its meaning inside a JSON string.
std::string ToPrintable(absl::string_view text);

}  // namespace kwta
