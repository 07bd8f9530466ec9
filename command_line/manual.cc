#include "command_line/manual.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "command_line/option_table.h"

namespace kwta::command_line {
namespace {

// Text of which troff takes no character for itself.
std::string Literal(absl::string_view text) {
  return absl::StrReplaceAll(
      text,
      {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}, {"`", "\\(ga"}, {"^", "\\(ha"}, {"~", "\\(ti"}, {"\"", "\\(dq"}});
}

// Lines that do not begin a request.
std::string Lines(absl::string_view text) {
  std::string lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::string literal = Literal(line);
    absl::StrAppend(&lines, absl::StartsWith(literal, ".") ? "\\&" : "", literal, "\n");
  }
  return lines;
}

std::string Bold(absl::string_view text) { return absl::StrCat("\\fB", Literal(text), "\\fR"); }

std::string Tag(const OptionRow& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.names) names.push_back(Bold(name));
  const std::string value =
      option.value.empty() || option.positional ? "" : absl::StrCat(" \\fI", Literal(option.value), "\\fR");
  return absl::StrCat(absl::StrJoin(names, ", "), value);
}

std::string Entry(const OptionRow& option) {
  std::string text = option.help;
  if (!option.choices.empty()) absl::StrAppend(&text, "; one of ", absl::StrJoin(option.choices, ", "));
  if (!option.range.empty()) absl::StrAppend(&text, "; ", option.range);
  if (option.required) absl::StrAppend(&text, "; required");
  if (!option.default_value.empty()) absl::StrAppend(&text, "; default ", option.default_value);
  if (!option.environment.empty()) absl::StrAppend(&text, "; also from ", option.environment);
  return absl::StrCat(".TP\n", Tag(option), "\n", Lines(text));
}

// The groups in the order of their first options.
std::string Options(const CommandRow& command) {
  std::vector<std::string> groups;
  for (const OptionRow& option : command.options) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  }
  std::string text;
  for (const std::string& group : groups) {
    const bool first = group == "Options" || group == "Positionals";
    if (groups.size() > 1 && !first) absl::StrAppend(&text, ".SS \"", Literal(group), "\"\n");
    for (const OptionRow& option : command.options) {
      if (option.group == group) absl::StrAppend(&text, Entry(option));
    }
  }
  return text;
}

std::string Synopsis(const CommandRow& command, bool has_commands) {
  std::string text = Bold(absl::StrJoin(command.path, " "));
  if (has_commands) absl::StrAppend(&text, " \\fICOMMAND\\fR");
  for (const OptionRow& option : command.options) {
    if (option.positional) {
      absl::StrAppend(&text, option.required ? " " : " [", "\\fI", Literal(option.names[0]), "\\fR",
                      option.required ? "" : "]");
    } else if (option.required) {
      absl::StrAppend(&text, " ", Tag(option));
    }
  }
  return absl::StrCat(text, " [\\fIOPTION\\fR]...\n");
}

// Examples keep their lines; what follows after a blank line is text.
std::string Footer(absl::string_view footer) {
  std::string text;
  bool literal = false;
  for (absl::string_view line : absl::StrSplit(absl::StripAsciiWhitespace(footer), '\n')) {
    if (line == "Examples:") {
      absl::StrAppend(&text, ".SH EXAMPLES\n");
      continue;
    }
    const absl::string_view exit_codes = "Exit codes: ";
    const bool indented = absl::StartsWith(line, "  ");
    if (indented != literal) absl::StrAppend(&text, indented ? ".nf\n" : ".fi\n");
    literal = indented;
    if (line.empty()) {
      absl::StrAppend(&text, ".PP\n");
    } else if (absl::StartsWith(line, exit_codes)) {
      text = std::string(absl::StripSuffix(text, ".PP\n"));
      absl::StrAppend(&text, ".SH EXIT STATUS\n", Lines(absl::StripPrefix(line, exit_codes)));
    } else {
      absl::StrAppend(&text, Lines(line));
    }
  }
  return absl::StrCat(text, literal ? ".fi\n" : "");
}

std::string PageName(absl::Span<const std::string> path) { return absl::StrJoin(path, "-"); }

// As apropos(1) lists it: without a stop.
std::string Title(const CommandRow& command) {
  const std::string line = Summary(command.help);
  return Literal(absl::StripSuffix(line, "."));
}

std::string Page(const std::vector<CommandRow>& commands, const CommandRow& command, const std::string& version,
                 int section, const std::vector<std::string>& see_also) {
  const std::string name = PageName(command.path);
  const std::vector<const CommandRow*> children = Children(commands, command);
  std::string text =
      absl::StrCat(".\\\" Made by the program from its own options.\n.TH ", Literal(absl::AsciiStrToUpper(name)), " ",
                   section, " \"\" \"", Literal(version), "\" \"kwta\"\n.SH NAME\n", Literal(name), " \\- ",
                   Title(command), "\n.SH SYNOPSIS\n", Synopsis(command, !children.empty()));
  const size_t rest = command.help.find('\n');
  if (rest != std::string::npos) {
    absl::StrAppend(&text, ".SH DESCRIPTION\n", Lines(absl::StripAsciiWhitespace(command.help.substr(rest))));
  }
  if (!children.empty()) absl::StrAppend(&text, ".SH COMMANDS\n");
  for (const CommandRow* child : children) {
    absl::StrAppend(&text, ".TP\n", Bold(child->path.back()), "\n", Title(*child), "\n");
  }
  absl::StrAppend(&text, ".SH OPTIONS\n", Options(command), Footer(command.footer));
  const auto reference = [&](absl::Span<const std::string> path) {
    return absl::StrCat(PageName(path), "(", section, ")");
  };
  std::vector<std::string> others;
  if (command.path.size() > 1)
    others.push_back(reference(absl::MakeConstSpan(command.path).first(command.path.size() - 1)));
  for (const CommandRow* child : children) others.push_back(reference(child->path));
  others.insert(others.end(), see_also.begin(), see_also.end());
  return absl::StrCat(text, ".SH SEE ALSO\n", Literal(absl::StrJoin(others, ", ")), "\n");
}

}  // namespace

std::vector<ManualPage> ManualPages(const CLI::App& app, const std::string& version, int section,
                                    const std::vector<std::string>& see_also) {
  const std::vector<CommandRow> commands = ListCommands(app);
  std::vector<ManualPage> pages;
  for (const CommandRow& command : commands) {
    pages.push_back({PageName(command.path), Page(commands, command, version, section, see_also)});
  }
  return pages;
}

}  // namespace kwta::command_line
