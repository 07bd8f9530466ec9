#include "core/research/reproduction/report.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace kwta {
namespace {

constexpr char kStyle[] = R"(
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ccc; text-align: right; vertical-align: top; }
th:first-child, td:first-child, td.note { text-align: left; }
td.note, figcaption, details { color: #555; font-size: .875rem; }
figure { margin: 1.5rem 0; } img { image-rendering: pixelated; max-width: 100%; }
pre { overflow-x: auto; background: #f4f4f4; padding: 1rem; }
.holds { color: #176d2c; } .broken { color: #b00020; font-weight: bold; })";

std::string Escaped(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string Number(const std::optional<double>& value) {
  return value.has_value() ? absl::StrFormat("%.2f", *value) : "";
}

std::string Mean(const Measurement& row) { return row.values.empty() ? "" : absl::StrFormat("%.2f", row.Mean()); }

// The smallest and the largest value, if there are several.
std::string Spread(const Measurement& row) {
  if (row.values.size() < 2) return "";
  const auto [least, most] = std::minmax_element(row.values.begin(), row.values.end());
  return absl::StrFormat("%.2f .. %.2f", *least, *most);
}

std::string TableHtml(const ReportTable& table) {
  std::string html = absl::StrCat("<h2>", Escaped(table.title), "</h2>\n<p>", Escaped(table.unit),
                                  "</p>\n<table>\n<tr><th></th><th>paper</th><th>here</th><th>range</th>"
                                  "<th>seeds</th><th></th></tr>\n");
  for (const Measurement& row : table.rows) {
    absl::StrAppend(&html, "<tr><td>", Escaped(row.label), "</td><td>", Number(row.paper), "</td><td>", Mean(row),
                    "</td><td>", Spread(row), "</td><td>", row.values.size(), "</td><td class=\"note\">",
                    Escaped(row.note), "</td></tr>\n");
  }
  absl::StrAppend(&html, "</table>\n");
  for (const Measurement& row : table.rows) {
    if (row.details.is_null()) continue;
    absl::StrAppend(&html, "<details><summary>", Escaped(row.label), ": settings, choices, times</summary><pre>",
                    Escaped(row.details.dump(1)), "</pre></details>\n");
  }
  return html;
}

std::string PictureHtml(const ReportPicture& picture) {
  std::string body = picture.svg;
  if (body.empty()) {
    body = absl::StrCat("<img alt=\"", Escaped(picture.title), "\" src=\"data:image/png;base64,",
                        absl::Base64Escape(picture.png), "\">");
  }
  return absl::StrCat("<figure><h3>", Escaped(picture.title), "</h3>", body, "<figcaption>", Escaped(picture.caption),
                      "</figcaption></figure>\n");
}

}  // namespace

nlohmann::json ProtoJson(const google::protobuf::Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return nullptr;
  return nlohmann::json::parse(text, nullptr, false);
}

double Measurement::Mean() const {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::string ReportHtml(const Report& report) {
  std::string html =
      absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>", Escaped(report.title),
                   "</title>\n<style>", kStyle, "</style></head>\n<body>\n<h1>", Escaped(report.title), "</h1>\n");
  if (!report.finished) html += "<p class=\"broken\">Unfinished: these are the results so far.</p>\n";
  if (report.left_out > 0)
    absl::StrAppend(&html, "<p>", report.left_out, " measurements are left for other runs.</p>\n");
  for (const std::string& note : report.notes) absl::StrAppend(&html, "<p>", Escaped(note), "</p>\n");
  for (const ReportTable& table : report.tables) html += TableHtml(table);
  if (!report.claims.empty()) html += "<h2>What the papers claim</h2>\n<ul>\n";
  for (const Claim& claim : report.claims) {
    absl::StrAppend(&html, "<li class=\"", claim.holds ? "holds" : "broken", "\">", Escaped(claim.text),
                    claim.holds ? ": holds" : ": does NOT hold here", "</li>\n");
  }
  if (!report.claims.empty()) html += "</ul>\n";
  for (const ReportPicture& picture : report.pictures) html += PictureHtml(picture);
  absl::StrAppend(&html, "<details><summary>Settings of the run</summary><pre>", Escaped(report.settings.dump(1)),
                  "</pre></details>\n</body>\n</html>\n");
  return html;
}

nlohmann::json ReportJson(const Report& report) {
  nlohmann::json json = {{"name", report.name},
                         {"title", report.title},
                         {"notes", report.notes},
                         {"finished", report.finished},
                         {"left_out", report.left_out}};
  json["settings"] = report.settings;
  for (const ReportTable& table : report.tables) {
    nlohmann::json rows = nlohmann::json::array();
    for (const Measurement& row : table.rows) {
      nlohmann::json entry = {{"label", row.label}, {"values", row.values}, {"details", row.details}};
      if (row.paper) entry["paper"] = *row.paper;
      if (!row.values.empty()) entry["mean"] = row.Mean();
      if (!row.note.empty()) entry["note"] = row.note;
      rows.push_back(std::move(entry));
    }
    json["tables"].push_back({{"title", table.title}, {"unit", table.unit}, {"rows", std::move(rows)}});
  }
  for (const Claim& claim : report.claims) json["claims"].push_back({{"text", claim.text}, {"holds", claim.holds}});
  for (const ReportPicture& picture : report.pictures) {
    json["pictures"].push_back(picture.title);
    if (picture.numbers.is_null()) continue;
    json["charts"].push_back({{"title", picture.title}, {"caption", picture.caption}, {"series", picture.numbers}});
  }
  return json;
}

std::string ReportText(const Report& report) {
  std::string text = report.title + "\n";
  if (!report.finished) text += "Unfinished: these are the results so far.\n";
  if (report.left_out > 0) absl::StrAppend(&text, report.left_out, " measurements are left for other runs.\n");
  for (const ReportTable& table : report.tables) {
    absl::StrAppendFormat(&text, "\n%s (%s)\n%-52s %8s %8s  %s\n", table.title, table.unit, "", "paper", "here",
                          "range");
    for (const Measurement& row : table.rows) {
      absl::StrAppendFormat(&text, "%-52s %8s %8s  %s%s\n", row.label, Number(row.paper), Mean(row), Spread(row),
                            row.values.empty() ? row.note : "");
    }
  }
  if (!report.claims.empty()) text += "\n";
  for (const Claim& claim : report.claims) {
    absl::StrAppend(&text, claim.holds ? "holds: " : "DOES NOT HOLD: ", claim.text, "\n");
  }
  return text;
}

}  // namespace kwta
