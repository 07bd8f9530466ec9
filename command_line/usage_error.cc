#include "command_line/usage_error.h"

#include <algorithm>
#include <stdexcept>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "command_line/suggest.h"

namespace kwta::command_line {
namespace {

std::vector<std::string> OptionNames(const CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

// The option of this name that the command or one above it has; null if there is none.
const CLI::Option* FindOption(const CLI::App* app, const std::string& name) {
  for (; app != nullptr; app = app->get_parent()) {
    if (const CLI::Option* const option = app->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

bool IsTruthValue(const std::string& text) {
  try {
    CLI::detail::to_flag_value(text);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

std::string NoTruthValue(const std::string& name, const std::string& value) {
  return absl::StrCat(name, " has the value '", value, "'; expected no value, true or false");
}

// What is wrong with the first flag that has a value which is none for a flag; empty if there is no such flag.
std::string WrongFlag(const CLI::App& named, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (!absl::StartsWith(word, "--") || equals == std::string::npos) continue;
    const std::string name = word.substr(0, equals), value = word.substr(equals + 1);
    const CLI::Option* const option = FindOption(&named, name);
    if (option == nullptr || option->get_expected_max() != 0 || IsTruthValue(value)) continue;
    return NoTruthValue(name, value);
  }
  return "";
}

std::string Unexpected(const CLI::App& named, const std::vector<std::string>& rest) {
  return absl::StrCat("'", named.get_name(), "' takes no ", rest.size() > 1 ? "arguments" : "argument", " '",
                      absl::StrJoin(rest, "', '"), "'");
}

}  // namespace

void Parse(CLI::App& app, const std::vector<std::string>& words) {
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // the order that CLI11 expects
  } catch (const std::invalid_argument& error) {
    throw CLI::ConversionError(error.what());
  } catch (const std::out_of_range& error) {
    throw CLI::ConversionError(error.what());
  }
}

std::string UsageErrorText(const CLI::App& named, const std::vector<std::string>& words, const CLI::ParseError& error) {
  const CLI::App* program = &named;
  while (program->get_parent() != nullptr) program = program->get_parent();
  const std::vector<std::string> rest = program->remaining(/*recurse=*/true);
  const auto unknown =
      std::find_if(rest.begin(), rest.end(), [](const std::string& word) { return absl::StartsWith(word, "--"); });
  if (unknown != rest.end()) {
    const std::string name = unknown->substr(0, unknown->find('='));
    return absl::StrCat("there is no option '", name, "'", DidYouMean(name, OptionNames(&named)));
  }
  std::string wrong = WrongFlag(named, words);
  if (!wrong.empty()) return wrong;
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !rest.empty()) return Unexpected(named, rest);
  std::string text = error.what();
  // A flag in a file of options: "Could not convert: --insecure = maybe".
  absl::string_view converted = text;
  if (absl::ConsumePrefix(&converted, "Could not convert: ")) {
    const std::vector<std::string> parts = absl::StrSplit(converted, absl::MaxSplits(" = ", 1));
    const CLI::Option* const option = FindOption(&named, parts.front());
    if (parts.size() == 2 && option != nullptr && option->get_expected_max() == 0) {
      return NoTruthValue(parts[0], parts[1]);
    }
  }
  const std::string option = text.substr(0, text.find(": "));
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr && option != text) {
    const std::string what = text.substr(option.size() + 2);
    if (absl::StartsWith(what, "At Most 1 required"))
      return absl::StrCat(option, " is given twice or more; give it once");
    if (absl::EndsWith(what, " missing")) return absl::StrCat(option, " has no value; expected one behind it");
  }
  return text;
}

}  // namespace kwta::command_line
