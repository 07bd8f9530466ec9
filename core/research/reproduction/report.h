// What a reproduction found, and the forms it is written in.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace kwta {

// One row of a table: a number, measured with several seeds.
struct Measurement {
  std::string label;
  std::optional<double> paper;  // the paper's value; nullopt: it has none
  std::vector<double> values;   // one a seed; empty: not measured in this run
  nlohmann::json details;       // hyperparameters, choices and times of each seed
  std::string note;

  double Mean() const;
};

struct ReportTable {
  std::string title;
  std::string unit;  // of paper and values: "test error, %"
  std::vector<Measurement> rows;
};

struct ReportPicture {
  std::string title;
  std::string caption;
  std::string png;  // the bytes of a file; empty if svg is set
  std::string svg;  // an <svg> element
};

// An order of results that the papers claim.
struct Claim {
  std::string text;
  bool holds = false;
};

// Moving a json value does not throw, though it is not declared so.
struct Report {  // NOLINT(bugprone-exception-escape)
  std::string name;
  std::string title;
  std::vector<std::string> notes;  // paragraphs of plain text
  std::vector<ReportTable> tables;
  std::vector<ReportPicture> pictures;
  std::vector<Claim> claims;
  nlohmann::json settings;  // of the whole run
  bool finished = false;    // false: a report so far, which says so
};

// A page that needs no other file.
std::string ReportHtml(const Report& report);
// Every number; pictures by their titles only.
nlohmann::json ReportJson(const Report& report);
// The tables and claims for a terminal.
std::string ReportText(const Report& report);

}  // namespace kwta
