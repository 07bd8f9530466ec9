// kwta token
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/report.h"
#include "core/base/parse_number.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/model_bundle.h"
#include "core/io/token_file.h"

namespace kwta::client::cli {
namespace {

constexpr char kTokenFooter[] =
    R"(The token is printed once; the file holds its hash only. A server reads the file again within a second or two.
Examples:
  kwta token --file tokens.json --name search --scope encode --days 90 --rows-per-second 50000
  (umask 077; kwta token --file tokens.json --name trainer --scope train --scope encode > trainer.token)
  kwta token --file tokens.json --name search --remove)";

// A century. The file cannot represent times beyond the year 9999.
constexpr double kMostDays = 36'500;

struct TokenCommand {
  std::string file;
  TokenEntry entry;
  std::vector<std::string> scopes;
  double days = 0;
  bool remove = false;
};

// Prints the token first: the file must not hold a token that nobody saw.
absl::Status PrintToken(const TokenCommand& command, const std::string& token, const GlobalOptions& global) {
  if (global.json) {
    std::cout << ToJson({{"name", command.entry.name}, {"token", token}}) << std::endl;
  } else {
    std::cout << token << std::endl;
  }
  if (std::cout.good()) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrCat("the token could not be written to standard output; '", command.file, "' is as it was"));
}

absl::Status ChangeToken(TokenCommand command, const GlobalOptions& global, std::vector<TokenEntry>* entries) {
  TokenEntry& entry = command.entry;
  const auto of_name = [&entry](const TokenEntry& each) { return each.name == entry.name; };
  const auto old = std::remove_if(entries->begin(), entries->end(), of_name);
  if (command.remove && old == entries->end()) {
    return absl::NotFoundError(absl::StrCat("there is no '", entry.name, "' in '", command.file, "'"));
  }
  entries->erase(old, entries->end());
  if (command.remove) return absl::OkStatus();
  for (const std::string& scope : command.scopes) {
    KWTA_ASSIGN_OR_RETURN(entry.scopes.emplace_back(), ParseScope(scope));
  }
  if (command.days > 0) entry.expires = absl::Now() + absl::Hours(24 * command.days);
  const std::string token = NewToken();
  entry.sha256 = HashOfToken(token);
  entries->push_back(entry);
  KWTA_RETURN_IF_ERROR(CheckCanWrite(command.file));
  return PrintToken(command, token, global);
}

ExitCode RunToken(const TokenCommand& command, const GlobalOptions& global) {
  absl::Status status = ValidateName("--name", command.entry.name);
  if (status.ok()) {
    status = ChangeTokenFile(command.file,
                             [&](std::vector<TokenEntry>* entries) { return ChangeToken(command, global, entries); });
  }
  if (!status.ok()) return ReportFailure(status, global);
  if (command.remove && global.json) std::cout << ToJson({{"name", command.entry.name}}) << "\n";
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
  command->add_option("--days", options->days, "Days until it expires; default: never")
      ->transform(NumberIn<double>::AboveUpTo(0, kMostDays).Of("days").As<CLI::Validator>());
  command->add_option("--calls-per-second", options->entry.calls_per_second, "Calls allowed; default: any number")
      ->transform(NumberIn<double>::Above(0).Of("calls").As<CLI::Validator>());
  command->add_option("--rows-per-second", options->entry.rows_per_second, "Rows allowed; default: any number")
      ->transform(NumberIn<double>::Above(0).Of("rows").As<CLI::Validator>());
  CLI::Option* remove = command->add_flag("--remove", options->remove, "Take the token of that name away");
  remove->excludes(scope);
  command->callback([=] {
    if (!options->remove && options->scopes.empty()) throw CLI::RequiredError("--scope");
    *action = [=](const GlobalOptions& global) { return RunToken(*options, global); };
  });
}

}  // namespace kwta::client::cli
