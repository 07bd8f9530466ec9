// Text that must be UTF-8: names of files and words of other programs need not be.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kwta {

// As protobuf and JSON understand it: no overlong form, no half of a surrogate pair, nothing above U+10FFFF.
bool IsUtf8(absl::string_view text);

// The same text with U+FFFD in place of each byte that belongs to no character.
std::string ToUtf8(absl::string_view text);

// ToUtf8 with control characters as \u001b, except line ends and tabs: fit for a terminal, which they would drive, and
// unchanged in meaning where it stands in a string of JSON.
std::string ToPrintable(absl::string_view text);

}  // namespace kwta
