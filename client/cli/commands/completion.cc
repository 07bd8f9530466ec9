// kwta completion
#include "command_line/completion.h"

#include <iostream>
#include <memory>

#include "client/cli/command.h"

namespace kwta::client::cli {

void AddCompletion(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("completion", "Print the script by which a shell completes kwta's commands");
  command->footer(
      "Examples:\n  source <(kwta completion bash)\n"
      "  kwta completion fish > ~/.config/fish/completions/kwta.fish\n"
      "  kwta completion zsh > /usr/local/share/zsh/site-functions/_kwta");
  const auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "The shell")
      ->required()
      ->check(CLI::IsMember(command_line::Shells()))
      ->type_name("SHELL");
  command->callback([=, &app] {
    *action = [=, &app](const GlobalOptions&) {
      std::cout << command_line::Completion(app, *shell);
      return kSuccess;
    };
  });
}

}  // namespace kwta::client::cli
