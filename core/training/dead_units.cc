#include "core/training/dead_units.h"

#include "absl/strings/str_cat.h"
#include "core/encoders/stack.h"

namespace kwta {
namespace {

constexpr double kManyDeadUnits = 0.1;  // fraction of all units

}  // namespace

std::string DeadUnitsWarning(int64_t dead, int64_t units, const v1::EncoderSpec& encoder, bool could_subtract_mean) {
  if (units <= 0 || static_cast<double>(dead) <= kManyDeadUnits * static_cast<double>(units)) return "";
  const bool k_sparse = LayerSpec(encoder, LayerCount(encoder) - 1).has_k_sparse();
  return absl::StrCat(
      dead, " of ", units, " units (", 100 * dead / units,
      "%) were in no code of the last epoch: they cost time and memory, and encode nothing. ",
      could_subtract_mean ? "Subtract the mean of the rows, take" : "Take", " a smaller learning rate",
      k_sparse ? ", fewer units or a larger k_start, or train dead units with auxiliary_k" : " or fewer units");
}

}  // namespace kwta
