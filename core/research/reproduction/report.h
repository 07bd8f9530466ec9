// The results of a reproduction, and the formats of its report.
#pragma once

#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace kwta {

// One row of a table: a number, measured with several seeds.
struct Measurement {
  std::string label;
  std::optional<double> paper;  // the paper's value; nullopt: the paper has none
  std::vector<double> values;   // one per seed; empty: not measured in this run
  nlohmann::json details;       // hyperparameters, choices and times for each seed
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
  std::string png;                   // the bytes of a file; empty if svg is set
  std::string svg;                   // an <svg> element
  nlohmann::json numbers = nullptr;  // what a chart draws, for the JSON: [{"name", "x", "y"}]; null for images
};

// An order of results that the papers claim.
struct Claim {
  std::string text;
  bool holds = false;
};

// Moving a json value does not throw, although it is not declared noexcept.
struct Report {  // NOLINT(bugprone-exception-escape)
  std::string name;
  std::string title;
  std::vector<std::string> notes;  // paragraphs of plain text
  std::vector<ReportTable> tables;
  std::vector<ReportPicture> pictures;
  std::vector<Claim> claims;
  nlohmann::json settings;  // of the whole run
  bool finished = false;    // false: an interim report, which says so
  int64_t left_out = 0;     // measurements that are not there and that ReproductionOptions.only leaves to other runs
};

// A message with names as in its JSON mapping.
nlohmann::json ProtoJson(const google::protobuf::Message& message);

// A self-contained page.
std::string ReportHtml(const Report& report);
// Every number, those of charts too; images only by title.
nlohmann::json ReportJson(const Report& report);
// The tables and claims for a terminal.
std::string ReportText(const Report& report);

}  // namespace kwta
