// A program with one of each kind of option, for the tests of what is made from the table of options.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace kwta::command_line {

class SampleProgram {
 public:
  SampleProgram() : app_("Does things.\nMore about it.\n.dot", "thing") {
    app_.footer("Examples:\n  thing go --file 'a b'\n'thing help' explains.\n\nExit codes: 0 success.");
    app_.add_option("--server", text_, "Address")
        ->type_name("HOST:PORT")
        ->envname("THING_SERVER")
        ->capture_default_str();
    app_.add_flag("--json", flag_, "Print JSON");
    app_.add_option("--secret", text_, "Not told")->group("");
    CLI::App* go = app_.add_subcommand("go", "Go somewhere");
    go->add_option("place", text_, "Where to go")->required()->type_name("PLACE");
    go->add_option("-f,--file", text_, "It's a file [of rows]: any")->type_name("FILE")->group("Data");
    go->add_option("--kind", text_, "How")->check(CLI::IsMember({"fast", "slow"}))->required();
    go->add_option("--steps", steps_, "How many")->check(CLI::Validator([](std::string&) { return ""; }, "1 .. 9"));
    go->add_flag("--left,!--no-left", flag_, "To the left");
    CLI::App* back = app_.add_subcommand("list", "List things");
    back->add_subcommand("short", "Few of them");
    app_.add_subcommand("hidden", "Not told either")->group("");
  }

  const CLI::App& app() const { return app_; }
  CLI::App& app() { return app_; }

 private:
  CLI::App app_;
  std::string text_;
  int steps_ = 0;
  bool flag_ = false;
};

}  // namespace kwta::command_line
