#include "core/training/dead_units.h"

#include "absl/strings/str_cat.h"

namespace kwta {
namespace {

constexpr double kManyDeadUnits = 0.1;  // fraction of all units

}  // namespace

std::string DeadUnitsWarning(int64_t dead, int64_t units) {
  if (units <= 0 || static_cast<double>(dead) <= kManyDeadUnits * static_cast<double>(units)) return "";
  return absl::StrCat(
      dead, " of ", units, " units (", 100 * dead / units,
      "%) were in no code of the last epoch: they cost time "
      "and memory, and encode nothing. Subtract the mean of the rows, take a smaller learning rate or fewer units; "
      "of k-sparse encoders, start with a larger k_start or train dead units with auxiliary_k");
}

}  // namespace kwta
