#include "server/options_file.h"

#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool IsKeyCharacter(char c) { return absl::ascii_isalnum(c) || c == '-' || c == '_'; }

// TOML allows a separator between digits: 8_192.
std::string WithoutDigitSeparators(absl::string_view value) {
  std::string number;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '_') {
      if (!absl::ascii_isdigit(value[i])) return std::string(value);
      number.push_back(value[i]);
      continue;
    }
    const bool between =
        i > 0 && i + 1 < value.size() && absl::ascii_isdigit(value[i - 1]) && absl::ascii_isdigit(value[i + 1]);
    if (!between) return std::string(value);
  }
  return number;
}

class OptionsFileReader {
 public:
  explicit OptionsFileReader(absl::string_view text) : rest_(text) {}

  absl::StatusOr<std::vector<OptionsFileEntry>> Read() {
    std::vector<OptionsFileEntry> entries;
    std::map<std::string, int> lines;
    for (;;) {
      SkipLinesAndComments();
      if (rest_.empty()) return entries;
      KWTA_ASSIGN_OR_RETURN(OptionsFileEntry entry, ReadEntry());
      const auto [first, is_new] = lines.emplace(entry.key, entry.line);
      if (!is_new) return Wrong(absl::StrCat("'", entry.key, "' comes twice; line ", first->second, " has it too"));
      entries.push_back(std::move(entry));
    }
  }

 private:
  absl::Status Wrong(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", line_, ": ", what));
  }

  bool At(char c) const { return !rest_.empty() && rest_.front() == c; }
  char Take() {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == '\n') ++line_;
    return c;
  }
  void SkipBlanks() {
    while (!rest_.empty() && IsBlank(rest_.front())) Take();
  }
  void SkipComment() {
    while (!rest_.empty() && rest_.front() != '\n') Take();
  }
  void SkipLinesAndComments() {
    for (;;) {
      SkipBlanks();
      if (At('#') || At(';')) {
        SkipComment();
      } else if (At('\n')) {
        Take();
      } else {
        return;
      }
    }
  }

  absl::StatusOr<OptionsFileEntry> ReadEntry() {
    OptionsFileEntry entry;
    entry.line = line_;
    if (At('[')) return Wrong("sections are not known; write the keys without one");
    if (At('"') || At('\'')) {
      KWTA_ASSIGN_OR_RETURN(entry.key, ReadQuoted());
    } else {
      while (!rest_.empty() && IsKeyCharacter(rest_.front())) entry.key.push_back(Take());
    }
    SkipBlanks();
    if (entry.key.empty() || !At('=')) return Wrong("expected the name of a flag without its dashes, '=' and a value");
    Take();
    SkipBlanks();
    if (At('[')) {
      entry.is_array = true;
      KWTA_RETURN_IF_ERROR(ReadArray(&entry.values));
    } else {
      KWTA_ASSIGN_OR_RETURN(entry.values.emplace_back(), ReadValue(/*in_array=*/false));
    }
    SkipBlanks();
    if (At('#')) SkipComment();
    if (!rest_.empty() && !At('\n')) return Wrong(absl::StrCat("something follows the value of '", entry.key, "'"));
    return entry;
  }

  absl::Status ReadArray(std::vector<std::string>* values) {
    Take();
    for (;;) {
      SkipLinesAndComments();
      if (At(']')) break;
      KWTA_ASSIGN_OR_RETURN(values->emplace_back(), ReadValue(/*in_array=*/true));
      SkipLinesAndComments();
      if (At(',')) {
        Take();
      } else if (!At(']')) {
        return Wrong("an array needs ',' between its values and ']' at its end");
      }
    }
    Take();
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ReadValue(bool in_array) {
    if (At('"') || At('\'')) return ReadQuoted();
    absl::string_view value = rest_;
    size_t end = 0;
    for (; end < value.size() && value[end] != '\n'; ++end) {
      if (value[end] == '#' && (end == 0 || IsBlank(value[end - 1]))) break;
      if (in_array && (value[end] == ',' || value[end] == ']')) break;
    }
    rest_.remove_prefix(end);
    value = absl::StripAsciiWhitespace(value.substr(0, end));
    if (value.empty()) return Wrong("a value is missing");
    if (value.size() > 1 && value[0] == '0' && absl::ascii_isdigit(value[1])) {
      return Wrong(
          absl::StrCat("'", value, "' starts with a zero; write the number without it, or other values in quotes"));
    }
    return WithoutDigitSeparators(value);
  }

  absl::StatusOr<std::string> ReadQuoted() {
    const char quote = Take();
    const int start = line_;
    std::string value;
    for (;;) {
      if (rest_.empty() || At('\n')) {
        return Wrong(absl::StrCat("the value that begins in line ", start, " has no second ", std::string(1, quote)));
      }
      const char c = Take();
      if (c == quote) return value;
      if (c == '\\' && quote == '"') {
        KWTA_RETURN_IF_ERROR(ReadEscape(&value));
      } else {
        value.push_back(c);
      }
    }
  }

  absl::Status ReadEscape(std::string* value) {
    const char c = rest_.empty() ? '\0' : Take();
    switch (c) {
      case '"':
      case '\\':
        value->push_back(c);
        return absl::OkStatus();
      case 't':
        value->push_back('\t');
        return absl::OkStatus();
      case 'n':
        value->push_back('\n');
        return absl::OkStatus();
      case 'u':
      case 'U': {
        const std::string escape = absl::StrCat("\\", std::string(1, c), rest_.substr(0, c == 'u' ? 4 : 8));
        std::string character;
        if (escape.size() == (c == 'u' ? 6 : 10) && absl::CUnescape(escape, &character)) {
          rest_.remove_prefix(escape.size() - 2);
          value->append(character);
          return absl::OkStatus();
        }
        [[fallthrough]];
      }
      default:
        return Wrong("'\\' begins something unknown; write \\\\ for itself, or use single quotes");
    }
  }

  absl::string_view rest_;
  int line_ = 1;
};

}  // namespace

absl::StatusOr<std::vector<OptionsFileEntry>> ParseOptionsFile(absl::string_view text) {
  return OptionsFileReader(text).Read();
}

}  // namespace kwta::server
