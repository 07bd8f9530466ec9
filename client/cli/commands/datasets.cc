// kwta datasets
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/command.h"
#include "client/cli/json.h"
#include "client/cli/options/spec_options.h"
#include "client/cli/report.h"
#include "client/cli/terminal/format.h"
#include "client/cli/terminal/table.h"
#include "core/base/parse_number.h"

namespace kwta::client::cli {
namespace {

v1::DatasetRef Reference(const std::string& text) {
  v1::DatasetRef dataset;
  SetDatasetSource(text, &dataset);
  return dataset;
}

std::string DatasetName(const v1::DatasetInfo& info) {
  return info.dataset().has_name() ? info.dataset().name() : info.dataset().path();
}

std::string PlaceWords(v1::DatasetOrigin origin) {
  switch (origin) {
    case v1::DATASET_ORIGIN_OWN:
      return "the server";
    case v1::DATASET_ORIGIN_DIRECTORY:
      return "a data directory";
    case v1::DATASET_ORIGIN_SYSTEM:
      return "the system";
    default:
      return "-";
  }
}

std::string RowWords(const v1::DatasetInfo& info) {
  if (info.has_failure() || info.element_type().empty()) return "-";
  return absl::StrCat(info.row_shape().empty() ? "pictures" : absl::StrJoin(info.row_shape(), " x "), " ",
                      info.element_type());
}

std::string ClassWords(const v1::DatasetInfo& info) {
  if (!info.labelled()) return "-";
  return info.classes() > 0 ? HumanCount(info.classes()) : "yes";
}

std::string JobWords(const v1::DatasetInfo& info) {
  if (info.jobs().empty()) return "-";
  return info.jobs_size() == 1 ? info.jobs(0) : absl::StrCat(info.jobs(0), " and ", info.jobs_size() - 1, " more");
}

std::string AgeOf(const v1::DatasetInfo& info) {
  return info.has_changed() ? HumanDuration(absl::Now() - ToTime(info.changed())) : "-";
}

// What is wrong with a data set, or what reading it leaves out.
void PrintRemarks(const v1::DatasetInfo& info) {
  if (info.has_failure()) std::cout << "\n" << DatasetName(info) << ": " << info.failure().message() << "\n";
  for (const std::string& note : info.notes()) std::cout << "\n" << DatasetName(info) << ": " << note << "\n";
}

ExitCode ListDatasets(uint32_t limit, const GlobalOptions& global) {
  const auto listed = Connect(global)->ListDatasets(limit);
  if (!listed.ok()) return ReportFailure(listed.status(), global);
  if (global.json) {
    std::cout << ToJson(*listed) << "\n";
    return kSuccess;
  }
  if (listed->datasets().empty()) {
    std::cout << "no data sets; upload a file with 'kwta upload'\n";
    return kSuccess;
  }
  using Align = Table::Align;
  Table table({{"DATA"},
               {"ROWS", Align::kRight},
               {"TEST", Align::kRight},
               {"ROW"},
               {"CLASSES", Align::kRight},
               {"SIZE", Align::kRight},
               {"AGE", Align::kRight},
               {"AT"},
               {"JOBS"}});
  for (const v1::DatasetInfo& info : listed->datasets()) {
    table.AddRow({DatasetName(info), info.has_failure() ? "-" : HumanCount(info.rows()),
                  info.test_rows() > 0 ? HumanCount(info.test_rows()) : "-", RowWords(info), ClassWords(info),
                  HumanBytes(info.bytes()), AgeOf(info), PlaceWords(info.origin()), JobWords(info)});
  }
  table.Print(std::cout);
  for (const v1::DatasetInfo& info : listed->datasets()) PrintRemarks(info);
  if (listed->more()) std::cout << "\nThere are more; --limit shows up to 10,000.\n";
  return kSuccess;
}

ExitCode DescribeDataset(const std::string& data, const GlobalOptions& global) {
  const auto info = Connect(global)->GetDataset(Reference(data));
  if (!info.ok()) return ReportFailure(info.status(), global);
  if (global.json) {
    v1::GetDatasetResponse response;
    *response.mutable_dataset() = *info;
    std::cout << ToJson(response) << "\n";
    return kSuccess;
  }
  Table table({{""}, {""}});
  table.AddRow({"data", DatasetName(*info)});
  if (!info->has_failure()) {
    table.AddRow({"rows", absl::StrCat(HumanCount(info->rows()),
                                       info->test_rows() > 0
                                           ? absl::StrCat(" to train on, ", HumanCount(info->test_rows()), " to test")
                                           : "")});
    table.AddRow({"row", RowWords(*info)});
    table.AddRow({"classes", ClassWords(*info)});
  }
  table.AddRow({"size", HumanBytes(info->bytes())});
  table.AddRow({"changed", absl::StrCat(AgeOf(*info), " ago")});
  table.AddRow({"at", PlaceWords(info->origin())});
  table.AddRow({"jobs", info->jobs().empty() ? "-" : absl::StrJoin(info->jobs(), ", ")});
  table.Print(std::cout);
  PrintRemarks(*info);
  return kSuccess;
}

ExitCode DeleteDataset(const std::string& data, const GlobalOptions& global) {
  const auto bytes = Connect(global)->DeleteDataset(Reference(data));
  if (!bytes.ok()) return ReportFailure(bytes.status(), global);
  if (global.json) {
    v1::DeleteDatasetResponse response;
    response.set_bytes(*bytes);
    std::cout << ToJson(response) << "\n";
  } else {
    std::cout << "deleted data set '" << data << "', " << HumanBytes(*bytes) << "\n";
  }
  return kSuccess;
}

}  // namespace

void AddDatasets(CLI::App& app, Action* action) {
  CLI::App* command = app.add_subcommand("datasets", "List the data sets of a server, describe or delete one");
  command->footer(
      "Examples:\n  kwta datasets\n  kwta datasets describe fashion-mnist\n  kwta datasets delete patches.npy\n"
      "'kwta upload' brings data to a server.");
  command->require_subcommand(0, 1);
  const auto limit = std::make_shared<uint32_t>(0);
  const auto add_limit = [limit](CLI::App& to) {
    to.add_option("--limit", *limit, "At most so many, 1 .. 10000; default 1000")
        ->transform(NumberIn<uint32_t>::Between(1, 10'000).As<CLI::Validator>());
  };
  const auto list_all = [=] { *action = [=](const GlobalOptions& global) { return ListDatasets(*limit, global); }; };
  add_limit(*command);
  command->callback([=] {
    if (command->get_subcommands().empty()) list_all();
  });
  CLI::App* list = command->add_subcommand("list", "List them, as 'kwta datasets' alone does");
  list->footer("Examples:\n  kwta datasets list\n  kwta datasets list --json");
  add_limit(*list);
  list->callback(list_all);
  const auto add = [=](const char* name, const char* help, const char* examples, auto run) {
    CLI::App* one = command->add_subcommand(name, help);
    one->footer(examples);
    const auto data = std::make_shared<std::string>();
    one->add_option("data", *data, "Name of the data set, or path of its file or folder as in --data of train")
        ->required()
        ->type_name("NAME|PATH");
    one->callback([=] { *action = [=](const GlobalOptions& global) { return run(*data, global); }; });
  };
  add("describe", "Say what a data set holds and which jobs need it",
      "Examples:\n  kwta datasets describe fashion-mnist\n  kwta datasets describe patches.npy", DescribeDataset);
  add("delete", "Delete a data set that was uploaded, unless a job needs it",
      "Examples:\n  kwta datasets delete patches.npy", DeleteDataset);
}

}  // namespace kwta::client::cli
