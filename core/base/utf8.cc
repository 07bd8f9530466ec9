#include "core/base/utf8.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_format.h"

namespace kwta {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";  // U+FFFD

struct Character {
  size_t bytes = 0;  // 0 if no character begins here
  uint32_t code = 0;
};

Character FirstOf(absl::string_view text) {
  const auto byte = [text](size_t i) -> uint32_t { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0; };
  const uint32_t first = byte(0);
  if (first < 0x80) return {1, first};
  const size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4) return {};
  uint32_t code = first & (0x7Fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {};
  return {bytes, code};
}

bool IsControl(uint32_t code) {
  return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7F && code <= 0x9F);
}

std::string Converted(absl::string_view text, bool printable) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = FirstOf(text);
    if (character.bytes == 0) {
      out += kReplacement;
      text.remove_prefix(1);
      continue;
    }
    if (printable && IsControl(character.code)) {
      absl::StrAppendFormat(&out, "\\u%04x", character.code);
    } else {
      out.append(text.data(), character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return out;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t bytes = FirstOf(text).bytes;
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

std::string ToUtf8(absl::string_view text) { return Converted(text, /*printable=*/false); }

std::string ToPrintable(absl::string_view text) { return Converted(text, /*printable=*/true); }

}  // namespace kwta
