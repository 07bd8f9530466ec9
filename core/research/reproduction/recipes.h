// The recipes. Each computes one table or set of figures and has its own file.
#pragma once

#include "absl/status/status.h"
#include "core/research/reproduction/report.h"
#include "core/research/reproduction/workbench.h"

namespace kwta {

absl::Status KSparseTable1(Workbench& bench, Report* report);
absl::Status KSparseTable2(Workbench& bench, Report* report);
absl::Status KSparseTable3(Workbench& bench, Report* report);
absl::Status KSparseTable4(Workbench& bench, Report* report);
absl::Status WinnerTakeAllTable1(Workbench& bench, Report* report);
absl::Status WinnerTakeAllTable2(Workbench& bench, Report* report);
absl::Status Figures(Workbench& bench, Report* report);
// The part of Figures from the k-sparse paper.
absl::Status KSparseFigures(Workbench& bench, Report* report);
absl::Status ArpitFigure1(Workbench& bench, Report* report);
absl::Status ArpitFigure2(Workbench& bench, Report* report);
absl::Status ArpitFigure3(Workbench& bench, Report* report);
absl::Status ArpitFigure4(Workbench& bench, Report* report);
absl::Status ArpitFigure5(Workbench& bench, Report* report);

}  // namespace kwta
