#include "client/cli/terminal/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace kwta::client::cli {
namespace {

std::string Print(const Table& table) {
  std::ostringstream out;
  table.Print(out);
  return out.str();
}

TEST(Table, AlignsColumns) {
  Table table({{"NAME"}, {"SIZE", Table::Align::kRight}, {"NOTE"}});
  table.AddRow({"a", "12", "first"});
  table.AddRow({"longer", "3", ""});
  EXPECT_EQ(Print(table),
            "NAME    SIZE  NOTE\n"
            "a         12  first\n"
            "longer     3\n");
}

TEST(Table, HasNoTitleLineWithoutTitles) {
  Table table({{""}, {""}});
  table.AddRow({"state", "serving"});
  EXPECT_EQ(Print(table), "state  serving\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"N"}, {"X"}});
  table.AddRow({"\xc3\xa9t\xc3\xa9", "1"});
  table.AddRow({"abcd", "2"});
  EXPECT_EQ(Print(table),
            "N     X\n"
            "\xc3\xa9t\xc3\xa9   1\n"
            "abcd  2\n");
}

}  // namespace
}  // namespace kwta::client::cli
