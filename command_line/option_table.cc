#include "command_line/option_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace kwta::command_line {
namespace {

// Splits what CLI11 joins with a colon: the word for a value and what its checks say of it, "TEXT:{text,json}" and
// "INT:1 .. 86400". A word may have a colon of its own, "HOST:PORT".
void DescribeValue(const CLI::Option& option, OptionRow* row) {
  row->value = option.get_type_name();
  const size_t colon = row->value.rfind(':');
  if (colon == std::string::npos) return;
  absl::string_view check = absl::string_view(row->value).substr(colon + 1);
  if (absl::ConsumePrefix(&check, "{") && absl::ConsumeSuffix(&check, "}")) {
    row->choices = absl::StrSplit(check, ',');
  } else if (absl::StrContains(check, " .. ") || absl::StartsWith(check, "at least ") ||
             absl::StartsWith(check, "at most ") || absl::StartsWith(check, "above ")) {
    row->range = std::string(check);
  } else {
    return;
  }
  row->value.resize(colon);
}

bool IsPath(const OptionRow& row) {
  for (const char* word : {"FILE", "PATH", "DIRECTORY", "FOLDER"}) {
    if (absl::StrContains(row.value, word)) return true;
  }
  return false;
}

OptionRow Describe(const CLI::Option& option) {
  OptionRow row;
  for (const std::string& name : option.get_snames()) row.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) row.names.push_back("--" + name);
  row.positional = row.names.empty();
  row.required = option.get_required();
  if (row.positional || option.get_items_expected_max() > 0) {
    DescribeValue(option, &row);
    row.default_value = option.get_default_str();
  }
  if (row.positional) row.names.push_back(absl::AsciiStrToUpper(option.get_name(/*positional=*/true)));
  row.is_path = IsPath(row);
  row.group = option.get_group();
  row.help = option.get_description();
  row.environment = option.get_envname();
  return row;
}

void List(const CLI::App& app, std::vector<std::string> path, std::vector<CommandRow>* rows) {
  CommandRow row;
  path.push_back(app.get_name());
  row.path = path;
  row.help = app.get_description();
  row.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_group().empty()) row.options.push_back(Describe(*option));
  }
  rows->push_back(std::move(row));
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) List(*command, path, rows);
  }
}

}  // namespace

std::vector<CommandRow> ListCommands(const CLI::App& app) {
  std::vector<CommandRow> rows;
  List(app, {}, &rows);
  return rows;
}

std::vector<const CommandRow*> Children(const std::vector<CommandRow>& commands, const CommandRow& command) {
  std::vector<const CommandRow*> children;
  for (const CommandRow& other : commands) {
    if (other.path.size() == command.path.size() + 1 &&
        std::equal(command.path.begin(), command.path.end(), other.path.begin())) {
      children.push_back(&other);
    }
  }
  return children;
}

std::string Summary(const std::string& help) { return help.substr(0, help.find('\n')); }

}  // namespace kwta::command_line
