#include "core/research/reproduction/reproduction.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/research/reproduction/recipes.h"
#include "core/research/reproduction/report.h"
#include "core/research/reproduction/workbench.h"

namespace kwta {
namespace {

struct Recipe {
  ReproducibleTable table;
  absl::Status (*run)(Workbench&, Report*);
  bool has_parts = false;  // ReproductionOptions.only and report_only are about these
};

constexpr Recipe kRecipes[] = {
    {{"k-sparse-table1", "MNIST, features of 1000 units, k-sparse and others, under softmax regression"},
     KSparseTable1},
    {{"k-sparse-table2", "small NORB, the same with 4000 units"}, KSparseTable2},
    {{"k-sparse-table3", "MNIST, encoders of one and two layers, k-sparse and others, after fine-tuning"},
     KSparseTable3},
    {{"k-sparse-table4", "small NORB, the same"}, KSparseTable4},
    {{"wta-table1", "MNIST, winner-take-all convolutional features under softmax regression"}, WinnerTakeAllTable1},
    {{"wta-table2", "CIFAR-10, the same on whitened images, with k-means and a supervised network"},
     WinnerTakeAllTable2},
    {{"figures", "filters, histograms, maps, and accuracy by the number of maps"}, Figures},
    {{"arpit-fig1", "activation fractions of regularised ReLU encoders whose rows have unit length"},
     ArpitFigure1,
     true},
    {{"arpit-fig2", "the same without a length"}, ArpitFigure2, true},
    {{"arpit-fig3", "eDAE beside DAE, and theorem 3 in numbers"}, ArpitFigure3, true},
    {{"arpit-fig4", "activation fractions of sigmoid and softplus encoders whose rows have unit length"},
     ArpitFigure4,
     true},
    {{"arpit-fig5", "the same without a length"}, ArpitFigure5, true},
};

const Recipe* FindRecipe(absl::string_view name) {
  for (const Recipe& recipe : kRecipes) {
    if (recipe.table.name == name) return &recipe;
  }
  return nullptr;
}

}  // namespace

std::vector<ReproducibleTable> ReproducibleTables() {
  std::vector<ReproducibleTable> tables;
  for (const Recipe& recipe : kRecipes) tables.push_back(recipe.table);
  return tables;
}

absl::StatusOr<Reproduction> Reproduce(const ReproductionOptions& options) {
  const Recipe* recipe = FindRecipe(options.table);
  if (recipe == nullptr) {
    return absl::NotFoundError(absl::StrCat(
        "no table or figure is called '", options.table, "'; expected one of ",
        absl::StrJoin(ReproducibleTables(), ", ",
                      [](std::string* out, const ReproducibleTable& table) { absl::StrAppend(out, table.name); })));
  }
  if (options.seeds < 0 || options.seeds > 1000) return InvalidField("seeds", options.seeds, "0 .. 1000");
  if ((!options.only.empty() || options.report_only) && !recipe->has_parts) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.report_only ? "report_only" : "only", " is set; expected nothing: ", options.table,
                     " is measured as a whole; figures arpit-fig1 to arpit-fig5 have parts. The same command measures "
                     "nothing twice, and writes its report anew"));
  }
  if (!options.only.empty() && options.report_only) {
    return absl::InvalidArgumentError(
        "only and report_only are both set; expected one of them: report_only trains nothing");
  }
  KWTA_ASSIGN_OR_RETURN(const std::unique_ptr<Workbench> bench, Workbench::Create(options));
  Report report;
  report.name = options.table;
  KWTA_RETURN_IF_ERROR(recipe->run(*bench, &report));
  if (options.quick) {
    report.notes.push_back(
        "This was a quick run on a part of the data: it says whether the order of the results is the papers'; its "
        "numbers are not to be compared with theirs.");
  }
  report.finished = report.left_out == 0;
  KWTA_RETURN_IF_ERROR(bench->Publish(&report));

  Reproduction result;
  result.html_path = bench->ReportPath(".html");
  result.json_path = bench->ReportPath(".json");
  result.summary = ReportText(report);
  for (const Claim& claim : report.claims) {
    if (!claim.holds) result.broken_claims.push_back(claim.text);
  }
  return result;
}

}  // namespace kwta
