#include "client/cli/command_line.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/report.h"
#include "command_line/suggest.h"
#include "command_line/usage_error.h"
#include "core/base/parse_number.h"
#include "core/base/version.h"

namespace kwta::client::cli {
namespace {

constexpr char kCommandLineFooter[] = R"(Examples:
  kwta train --model fashion --units 1000 --k 25 --data fashion-mnist --watch
  kwta encode --model fashion --input batch.npy --output codes.npz
  kwta status
'kwta COMMAND --help' explains a command. Global options may stand before or after it.

Exit codes: 0 success; 1 a call or a file failed; 2 wrong usage; 3 the job that was watched failed or was
cancelled; 4 the server cannot be reached; 5 a reproduction did not come out as the papers claim; 130 interrupted (a
job that was being watched goes on).)";

std::string VersionText() { return absl::StrCat("kwta ", kVersion); }

void AddGlobalOptions(CLI::App& app, GlobalOptions* global) {
  app.add_option("--server", global->server, "Address of the server")
      ->envname("KWTA_SERVER")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_flag("--tls", global->tls.on, "Speak TLS, trusting the certificates that the system trusts");
  app.add_option("--tls-ca", global->tls.ca, "Speak TLS, trusting these certificates, PEM")
      ->envname("KWTA_TLS_CA")
      ->type_name("FILE");
  app.add_option("--tls-cert", global->tls.certificate, "Certificate to show to the server, PEM")
      ->envname("KWTA_TLS_CERT")
      ->type_name("FILE");
  app.add_option("--tls-key", global->tls.key, "Its private key, PEM")->envname("KWTA_TLS_KEY")->type_name("FILE");
  app.add_option("--token-file", global->token_file, "File with the token to send; KWTA_TOKEN holds one itself")
      ->envname("KWTA_TOKEN_FILE")
      ->type_name("FILE");
  app.add_flag("--json", global->json, "Print JSON for programs instead of text");
  app.add_option("--timeout", global->timeout_seconds, "Seconds that a call may take")
      ->transform(NumberIn<double>::Above(0).Of("seconds").As<CLI::Validator>())
      ->type_name("SECONDS")
      ->capture_default_str();
}

std::vector<std::string> CommandNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// Returns the command named last: "models load" for "kwta models load".
const CLI::App& Named(const CLI::App& app) {
  const CLI::App* named = &app;
  while (!named->get_subcommands().empty()) named = named->get_subcommands().front();
  return *named;
}

// Returns the whole command: "kwta models load".
std::string CommandWords(const CLI::App& app) {
  std::string words = app.get_name();
  for (const CLI::App* each = &app; !each->get_subcommands().empty();) {
    each = each->get_subcommands().front();
    absl::StrAppend(&words, " ", each->get_name());
  }
  return words;
}

// Describes what is wrong with the command line.
std::string UsageText(const CLI::App& app, const std::vector<std::string>& typed, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining(/*recurse=*/true);
  const CLI::App& named = Named(app);
  if (std::any_of(rest.begin(), rest.end(), [](const std::string& word) { return absl::StartsWith(word, "--"); })) {
    return command_line::UsageErrorText(named, typed, error);
  }
  if (&named == &app && rest.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return "no command is given; 'kwta help' lists them";
  }
  if (&named == &app && !rest.empty()) {
    return absl::StrCat("there is no command '", rest.front(), "'",
                        command_line::DidYouMean(rest.front(), CommandNames(app)));
  }
  // A command of a command, as in 'kwta datasets delet'.
  const std::vector<std::string> names = CommandNames(named);
  for (const std::string& word : rest) {
    const std::string suggestion = command_line::DidYouMean(word, names);
    if (!suggestion.empty()) return absl::StrCat("there is no command '", named.get_name(), " ", word, "'", suggestion);
  }
  return command_line::UsageErrorText(named, typed, error);
}

// Adds `kwta help COMMAND` and `kwta version`, which people type before they know of --help and --version.
void AddHelpAndVersion(CLI::App& app, Action* action) {
  CLI::App* help = app.add_subcommand("help", "Explain a command");
  help->footer("Examples:\n  kwta help\n  kwta help train\n  kwta help models load");
  const auto words = std::make_shared<std::vector<std::string>>();
  help->add_option("command", *words, "The command")->type_name("COMMAND");
  help->callback([=, &app] {
    *action = [=, &app](const GlobalOptions& global) {
      const CLI::App* about = &app;
      std::string name = app.get_name();
      for (const std::string& word : *words) {
        const std::vector<std::string> names = CommandNames(*about);
        if (std::find(names.begin(), names.end(), word) == names.end()) {
          return ReportUsage(absl::StrCat("there is no command '", word, "'", command_line::DidYouMean(word, names)),
                             global);
        }
        about = about->get_subcommand(word);
        absl::StrAppend(&name, " ", word);
      }
      // App::help would explain the command that is running, which is this one.
      std::cout << about->get_formatter()->make_help(about, name, CLI::AppFormatMode::Normal);
      return kSuccess;
    };
  });
  CLI::App* version = app.add_subcommand("version", "Print the version of this program");
  version->footer("Examples:\n  kwta version");
  version->callback([=] {
    *action = [](const GlobalOptions& global) {
      if (global.json) {
        std::cout << "{\"version\":\"" << kVersion << "\"}\n";
      } else {
        std::cout << VersionText() << "\n";
      }
      return kSuccess;
    };
  });
}

}  // namespace

std::unique_ptr<CLI::App> BuildCommandLine(GlobalOptions* global, Action* action) {
  auto app = std::make_unique<CLI::App>("Trains sparse encoders on a kwta server and encodes with them.", "kwta");
  app->footer(kCommandLineFooter);
  // Behind a command it would be taken for the version of a model, and a script for what a command did.
  app->set_version_flag("--version", [named = app.get()]() -> std::string {
    if (named->get_subcommands().empty()) return VersionText();
    throw CLI::ValidationError("--version", absl::StrCat("is no option of '", CommandWords(*named),
                                                         "'; 'kwta --version' prints the version of this program"));
  });
  app->require_subcommand(1);
  app->fallthrough();
  AddGlobalOptions(*app, global);
  AddTrain(*app, action);
  AddEncode(*app, action);
  AddReconstruct(*app, action);
  AddClassify(*app, action);
  AddEvaluate(*app, action);
  AddStatus(*app, action);
  AddJobs(*app, action);
  AddWatch(*app, action);
  AddLogs(*app, action);
  AddCancel(*app, action);
  AddModels(*app, action);
  AddDelete(*app, action);
  AddUpload(*app, action);
  AddDatasets(*app, action);
  AddLoad(*app, action);
  AddReproduce(*app, action);
  AddToken(*app, action);
  AddCompletion(*app, action);
  AddManual(*app, action);
  AddHelpAndVersion(*app, action);
  return app;
}

ExitCode RunCommandLine(int argc, const char* const* argv) {
  GlobalOptions global;
  Action action;
  const auto app = BuildCommandLine(&global, &action);
  const std::vector<std::string> typed(argv + 1, argv + std::max(argc, 1));
  try {
    command_line::Parse(*app, typed);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      app->exit(error);
      return kSuccess;
    }
    // Parsing may have failed before it reached the options.
    global.json = std::find(argv, argv + argc, std::string("--json")) != argv + argc;
    return ReportUsage(absl::StrCat(UsageText(*app, typed, error), "\nRun '", CommandWords(*app),
                                    " --help' for its options and examples."),
                       global);
  }
  return action(global);
}

}  // namespace kwta::client::cli
