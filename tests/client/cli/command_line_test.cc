#include "client/cli/command_line.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kwta::client::cli {
namespace {

using ::testing::ElementsAreArray;
using ::testing::IsSupersetOf;

// Every option of every command that is a number.
void CollectNumbers(const CLI::App& app, const std::string& command, std::vector<std::string>* names,
                    std::vector<CLI::Option*>* options) {
  for (CLI::Option* option : const_cast<CLI::App&>(app).get_options()) {
    const std::string type = option->get_type_name();
    for (const char* number : {"INT", "UINT", "FLOAT", "SECONDS", "CHANNELS,HEIGHT,WIDTH"}) {
      if (!absl::StartsWith(type, number)) continue;
      names->push_back(absl::StrCat(command, " ", option->get_name()));
      options->push_back(option);
      break;
    }
  }
  for (const CLI::App* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    CollectNumbers(*each, absl::StrCat(command, " ", each->get_name()), names, options);
  }
}

// What the option makes of a text: the text that its value is read from, or "refused".
std::string Taken(CLI::Option* option, std::string text) {
  try {
    for (int i = 0;; ++i) {
      if (!(*option->get_validator(i))(text).empty()) return "refused";
    }
  } catch (const CLI::OptionNotFound&) {  // that was the last
    return text;
  }
}

TEST(CommandLine, EveryNumberIsReadStrictly) {
  GlobalOptions global;
  Action action;
  const auto app = BuildCommandLine(&global, &action);
  std::vector<std::string> names;
  std::vector<CLI::Option*> options;
  CollectNumbers(*app, "kwta", &names, &options);
  EXPECT_THAT(names, IsSupersetOf({"kwta --timeout", "kwta train --k", "kwta train --row-shape", "kwta train --rate",
                                   "kwta encode --rows-per-request", "kwta load --seconds", "kwta token --days",
                                   "kwta models load --version", "kwta jobs --limit", "kwta reproduce --seeds"}));
  for (size_t i = 0; i < options.size(); ++i) {
    for (const char* text : {"0x10", "nan", "inf", "true", "1e999", "12 ", "+5", "1'000", ""}) {
      EXPECT_EQ(Taken(options[i], text), "refused") << names[i] << " '" << text << "'";
    }
    const std::string taken = Taken(options[i], "010");
    const bool fraction = absl::StartsWith(options[i]->get_type_name(), "FLOAT") || taken == "010";
    EXPECT_TRUE(taken == "10" || taken == "refused" || fraction) << names[i] << " takes 010 as " << taken;
    EXPECT_NE(taken, "8");
  }
}

TEST(CommandLine, LeadingZerosMeanNothing) {
  GlobalOptions global;
  Action action;
  const auto app = BuildCommandLine(&global, &action);
  app->parse("--timeout 010 jobs --limit 010");
  EXPECT_EQ(global.timeout_seconds, 10);
  EXPECT_EQ(app->get_subcommand("jobs")->get_option("--limit")->as<uint32_t>(), 10u);
}

TEST(CommandLine, EveryCommandExplainsItself) {
  GlobalOptions global;
  Action action;
  const auto app = BuildCommandLine(&global, &action);
  for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) {
    EXPECT_FALSE(command->get_description().empty()) << command->get_name();
    EXPECT_TRUE(absl::StrContains(command->get_footer(), absl::StrCat("  kwta ", command->get_name())))
        << command->get_name() << " has no example";
  }
}

}  // namespace
}  // namespace kwta::client::cli
