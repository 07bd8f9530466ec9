#include "command_line/completion.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "command_line/option_table.h"

namespace kwta::command_line {
namespace {

// Commands of commands: "models load" of kwta models load, "" of the program itself.
std::string Words(const CommandRow& command) {
  return absl::StrJoin(command.path.begin() + 1, command.path.end(), " ");
}

// The options that a command takes: its own and those of the commands above it, which may stand behind it.
std::vector<OptionRow> Accepted(const std::vector<CommandRow>& commands, const CommandRow& command) {
  std::vector<OptionRow> options;
  for (const CommandRow& above : commands) {
    const bool is_above = above.path.size() <= command.path.size() &&
                          std::equal(above.path.begin(), above.path.end(), command.path.begin());
    if (!is_above) continue;
    for (const OptionRow& option : above.options) {
      const bool known = std::any_of(options.begin(), options.end(),
                                     [&](const OptionRow& other) { return other.names == option.names; });
      // --version of the program is not that of `models load`.
      const bool program_only = &above != &command && option.names == std::vector<std::string>{"--version"};
      if (!option.positional && !known && !program_only) options.push_back(option);
    }
  }
  return options;
}

// One word in single quotes, as the three shells read it.
std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

std::string FunctionName(const CommandRow& program) {
  return absl::StrCat("_", absl::StrReplaceAll(program.path[0], {{"-", "_"}}));
}

// A pattern of the options whose next word is a value, whatever the command.
std::string WithValue(const std::vector<CommandRow>& commands) {
  std::set<std::string> names;
  for (const CommandRow& command : commands) {
    for (const OptionRow& option : command.options) {
      if (!option.positional && !option.value.empty()) names.insert(option.names.begin(), option.names.end());
    }
  }
  return absl::StrJoin(names, "|");
}

// Lines  'command:word') command='command word' ;;  by which a script follows the words to the command that they name.
std::string BashCommands(const std::vector<CommandRow>& commands) {
  std::string cases;
  for (const CommandRow& command : commands) {
    for (const CommandRow* child : Children(commands, command)) {
      absl::StrAppend(&cases, "      ", Quoted(absl::StrCat(Words(command), ":", child->path.back())),
                      ") command=", Quoted(Words(*child)), " ;;\n");
    }
  }
  return cases;
}

std::string Bash(const std::vector<CommandRow>& commands) {
  const std::string& program = commands[0].path[0];
  const std::string function = FunctionName(commands[0]);
  std::string values, words;
  for (const CommandRow& command : commands) {
    std::vector<std::string> candidates;
    for (const CommandRow* child : Children(commands, command)) candidates.push_back(child->path.back());
    for (const OptionRow& option : Accepted(commands, command)) {
      candidates.insert(candidates.end(), option.names.begin(), option.names.end());
      if (option.value.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) {
        patterns.push_back(Quoted(absl::StrCat(Words(command), ":", name)));
      }
      absl::StrAppend(&values, "    ", absl::StrJoin(patterns, "|"), ") ");
      if (!option.choices.empty()) {
        absl::StrAppend(&values, "COMPREPLY=($(compgen -W ", Quoted(absl::StrJoin(option.choices, " ")),
                        " -- \"$word\"))");
      } else if (option.is_path) {
        absl::StrAppend(&values, "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$word\"))");
      } else {
        absl::StrAppend(&values, "COMPREPLY=()");
      }
      absl::StrAppend(&values, "; return ;;\n");
    }
    absl::StrAppend(&words, "    ", Quoted(Words(command)), ") words=", Quoted(absl::StrJoin(candidates, " ")),
                    " ;;\n");
  }
  return absl::StrCat(
      "# bash completion of ", program, ", made by the program itself.\n", function, "() {\n",
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= words= i\n",
      "  # bash takes --name=value for three words.\n", "  [[ $word == = ]] && word=\n",
      "  [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD-2]}\n", "  for ((i = 1; i < COMP_CWORD; ++i)); do\n",
      "    case ${COMP_WORDS[i-1]} in =|", WithValue(commands), ") continue ;; esac\n",
      "    case \"$command:${COMP_WORDS[i]}\" in\n", BashCommands(commands), "    esac\n", "  done\n",
      "  case \"$command:$before\" in\n", values, "  esac\n", "  case \"$command\" in\n", words, "  esac\n",
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n",
      "  if ((${#COMPREPLY[@]} == 0)) && [[ $word != -* ]]; then\n", "    compopt -o filenames 2>/dev/null\n",
      "    COMPREPLY=($(compgen -f -- \"$word\"))\n", "  fi\n", "}\n", "complete -F ", function, " ", program, "\n");
}

// In the lists of _arguments, colons and brackets end a text.
std::string ZshText(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {":", "\\:"}, {"[", "\\["}, {"]", "\\]"}});
}

std::string ZshValue(const OptionRow& option) {
  if (option.value.empty()) return "";
  const std::string action = !option.choices.empty() ? absl::StrCat("(", absl::StrJoin(option.choices, " "), ")")
                             : option.is_path        ? "_files"
                                                     : " ";
  return absl::StrCat(":", ZshText(option.value), ":", action);
}

std::string Zsh(const std::vector<CommandRow>& commands) {
  const std::string& program = commands[0].path[0];
  const std::string function = FunctionName(commands[0]);
  std::string cases;
  for (const CommandRow& command : commands) {
    absl::StrAppend(&cases, "    ", Quoted(Words(command)), ")\n");
    absl::StrAppend(&cases, "      commands=(\n");
    for (const CommandRow* child : Children(commands, command)) {
      absl::StrAppend(&cases, "        ", Quoted(absl::StrCat(child->path.back(), ":", ZshText(Summary(child->help)))),
                      "\n");
    }
    absl::StrAppend(&cases, "      )\n      options=(\n");
    for (const OptionRow& option : Accepted(commands, command)) {
      for (const std::string& name : option.names) {
        absl::StrAppend(&cases, "        ",
                        Quoted(absl::StrCat("*", name, option.value.empty() || !absl::StartsWith(name, "--") ? "" : "=",
                                            "[", ZshText(Summary(option.help)), "]", ZshValue(option))),
                        "\n");
      }
    }
    absl::StrAppend(&cases, "      )\n      ;;\n");
  }
  return absl::StrCat("#compdef ", program, "\n# zsh completion of ", program, ", made by the program itself.\n",
                      function, "() {\n", "  local command= i\n", "  local -a commands options\n",
                      "  for ((i = 2; i < CURRENT; ++i)); do\n", "    case \"$command:${words[i]}\" in\n",
                      BashCommands(commands), "    esac\n", "  done\n", "  case \"$command\" in\n", cases, "  esac\n",
                      "  if ((${#commands})); then\n", "    _arguments -s $options '*: :->command' && return\n",
                      "    [[ $state == command ]] && _describe -t commands command commands\n", "  else\n",
                      "    _arguments -s $options '*:file:_files'\n", "  fi\n", "}\n",
                      "if [[ $funcstack[1] == ", function, " ]]; then\n  ", function, " \"$@\"\nelse\n  compdef ",
                      function, " ", program, "\nfi\n");
}

std::string Fish(const std::vector<CommandRow>& commands) {
  const std::string& program = commands[0].path[0];
  const std::string function = absl::StrCat("_", FunctionName(commands[0]), "_at");
  std::string cases, lines;
  for (const CommandRow& command : commands) {
    const std::string words = Words(command);
    const std::string at =
        absl::StrCat("complete -c ", program, " -n ", Quoted(absl::StrCat(function, " \"", words, "\"")));
    for (const CommandRow* child : Children(commands, command)) {
      absl::StrAppend(&cases, "      case ", Quoted(absl::StrCat(words, ":", child->path.back())),
                      "\n        set command ", Quoted(Words(*child)), "\n");
      absl::StrAppend(&lines, at, " -f -a ", child->path.back(), " -d ", Quoted(Summary(child->help)), "\n");
    }
    for (const OptionRow& option : command.options) {
      if (option.positional) continue;
      // Those of the program stand behind its commands too.
      const bool everywhere = command.path.size() == 1 && option.names != std::vector<std::string>{"--version"};
      absl::StrAppend(&lines, everywhere ? absl::StrCat("complete -c ", program) : at);
      for (const std::string& name : option.names) {
        const bool is_long = absl::StartsWith(name, "--");
        absl::StrAppend(&lines, is_long ? " -l " : " -s ", name.substr(is_long ? 2 : 1));
      }
      if (!option.value.empty()) {
        absl::StrAppend(&lines, " -r", option.is_path ? " -F" : " -f");
        if (!option.choices.empty()) absl::StrAppend(&lines, " -a ", Quoted(absl::StrJoin(option.choices, " ")));
      }
      absl::StrAppend(&lines, " -d ", Quoted(Summary(option.help)), "\n");
    }
  }
  return absl::StrCat("# fish completion of ", program, ", made by the program itself.\n", "function ", function, "\n",
                      "  set -l command ''\n  set -l before ''\n", "  for word in (commandline -opc)[2..]\n",
                      "    switch \"$before\"\n      case ", absl::StrReplaceAll(WithValue(commands), {{"|", " "}}),
                      "\n        set before ''\n        continue\n    end\n    set before $word\n",
                      cases.empty() ? "" : absl::StrCat("    switch \"$command:$word\"\n", cases, "    end\n"),
                      "  end\n", "  test \"$command\" = \"$argv[1]\"\n", "end\n", lines);
}

}  // namespace

const std::vector<std::string>& Shells() {
  static const auto* const shells = new std::vector<std::string>{"bash", "fish", "zsh"};
  return *shells;
}

std::string Completion(const CLI::App& app, const std::string& shell) {
  const std::vector<CommandRow> commands = ListCommands(app);
  if (shell == "bash") return Bash(commands);
  if (shell == "fish") return Fish(commands);
  return Zsh(commands);
}

}  // namespace kwta::command_line
