// kwta token
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "core/base/status_macros.h"
#include "core/io/model_bundle.h"
#include "core/io/token_file.h"
#include "nlohmann/json.hpp"

namespace kwta::client::cli {
namespace {

constexpr char kTokenFooter[] =
    R"(The token is printed once; the file holds its hash only. A server reads the file again within a second or two.
Examples:
  kwta token --file tokens.json --name search --scope encode --days 90 --rows-per-second 50000
  kwta token --file tokens.json --name trainer --scope train --scope encode > trainer.token
  kwta token --file tokens.json --name search --remove)";

struct TokenCommand {
  std::string file;
  TokenEntry entry;
  std::vector<std::string> scopes;
  double days = 0;
  bool remove = false;
};

absl::StatusOr<std::string> Change(TokenCommand command) {
  TokenEntry& entry = command.entry;
  KWTA_RETURN_IF_ERROR(ValidateName("--name", entry.name));
  absl::StatusOr<std::vector<TokenEntry>> entries = ReadTokenFile(command.file);
  if (absl::IsNotFound(entries.status()) && !command.remove) entries = std::vector<TokenEntry>();
  KWTA_RETURN_IF_ERROR(entries.status());
  const auto of_name = [&entry](const TokenEntry& each) { return each.name == entry.name; };
  const auto old = std::remove_if(entries->begin(), entries->end(), of_name);
  const bool known = old != entries->end();
  entries->erase(old, entries->end());
  if (command.remove) {
    if (!known) return absl::NotFoundError(absl::StrCat("there is no '", entry.name, "' in '", command.file, "'"));
    KWTA_RETURN_IF_ERROR(WriteTokenFile(command.file, *entries));
    return std::string();
  }
  for (const std::string& scope : command.scopes) {
    KWTA_ASSIGN_OR_RETURN(entry.scopes.emplace_back(), ParseScope(scope));
  }
  if (command.days > 0) entry.expires = absl::Now() + absl::Hours(24 * command.days);
  const std::string token = NewToken();
  entry.sha256 = HashOfToken(token);
  entries->push_back(entry);
  KWTA_RETURN_IF_ERROR(WriteTokenFile(command.file, *entries));
  return token;
}

ExitCode RunToken(const TokenCommand& command, const GlobalOptions& global) {
  const absl::StatusOr<std::string> token = Change(command);
  if (!token.ok()) return ReportFailure(token.status(), global);
  if (global.json) {
    nlohmann::json json = {{"name", command.entry.name}};
    if (!token->empty()) json["token"] = *token;
    std::cout << json.dump() << "\n";
  } else if (!token->empty()) {
    std::cout << *token << "\n";
  }
  return kSuccess;
}

}  // namespace

void AddToken(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("token", "Make a token for callers of a server, or take one away");
  command->footer(kTokenFooter);
  const auto options = std::make_shared<TokenCommand>();
  command->add_option("--file", options->file, "The server's file of tokens (kwta-server --tokens)")
      ->required()
      ->type_name("FILE");
  command->add_option("--name", options->entry.name, "Who calls with it; a token of that name is replaced")->required();
  CLI::Option* scope = command->add_option("--scope", options->scopes, "encode, train or admin; repeatable")
                           ->check(CLI::IsMember({"encode", "train", "admin"}));
  command->add_option("--days", options->days, "Days until it expires; default: never")->check(CLI::PositiveNumber);
  command->add_option("--calls-per-second", options->entry.calls_per_second, "Calls allowed; default: any number")
      ->check(CLI::PositiveNumber);
  command->add_option("--rows-per-second", options->entry.rows_per_second, "Rows allowed; default: any number")
      ->check(CLI::PositiveNumber);
  CLI::Option* remove = command->add_flag("--remove", options->remove, "Take the token of that name away");
  remove->excludes(scope);
  command->callback([=] {
    if (!options->remove && options->scopes.empty()) throw CLI::RequiredError("--scope");
    *action = [=](const GlobalOptions& global) { return RunToken(*options, global); };
  });
}

}  // namespace kwta::client::cli
