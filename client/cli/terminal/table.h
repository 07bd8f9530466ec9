// Columns that line up.
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

  // Titles are printed unless all of them are empty.
  explicit Table(std::vector<Column> columns);

  // REQUIRES: a cell for each column.
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  // Two spaces between columns, none at the end of a line. Cells count a column for each UTF-8 character.
  void Print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace kwta::client::cli
