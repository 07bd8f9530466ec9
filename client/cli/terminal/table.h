// Prints aligned columns.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace kwta::client::cli {

// A table of text. Not thread-safe.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  // Prints the titles unless all of them are empty.
  explicit Table(std::vector<Column> columns);

  // REQUIRES: a cell for each column.
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // Prints two spaces between columns and none at the end of a line. Each UTF-8 character counts as one column.
  void Print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kwta::client::cli
