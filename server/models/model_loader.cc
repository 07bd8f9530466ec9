#include "server/models/model_loader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/evaluation/stored_classifier.h"
#include "core/tensors/codes.h"

namespace kwta::server {
namespace {

// The most bytes that the artificial rows for warming up take.
constexpr int64_t kWarmUpBytes = 64 << 20;

absl::Status CheckFinite(const Codes& codes) {
  const auto* sparse = std::get_if<SparseCodes>(&codes);
  const RowsView values = sparse == nullptr ? std::get<Tensor>(codes).rows()
                                            : RowsView{DType::kF32, sparse->values.data(), 1, sparse->entries()};
  if (!FindNonFinite(values)) return absl::OkStatus();
  return absl::DataLossError("its codes are not finite: the parameters hold NaN, infinities or numbers too large");
}

}  // namespace

absl::Status ModelLoader::WarmUp(const Encoder& encoder) const {
  const int64_t width = encoder.input_width();
  const int64_t room = kWarmUpBytes / static_cast<int64_t>(sizeof(float)) / std::max(width, encoder.code_width());
  const int64_t most = std::clamp<int64_t>(room, 1, warm_up_rows_);
  std::vector<float> rows(most * width);
  Rng rng(1);
  for (float& value : rows) value = static_cast<float>(rng.Uniform());
  KWTA_ASSIGN_OR_RETURN(const int64_t k, encoder.ResolveK({}));
  for (int64_t count = 1;; count = std::min(2 * count, most)) {
    if (stopping_ && stopping_()) return absl::CancelledError("the server stops");
    const RowsView view = {DType::kF32, rows.data(), count, width};
    Codes codes;
    KWTA_RETURN_IF_ERROR(encoder.Encode(view, k, &codes));
    KWTA_RETURN_IF_ERROR(CheckFinite(codes));
    if (count == most) return absl::OkStatus();
  }
}

absl::StatusOr<std::shared_ptr<ServedModel>> ModelLoader::Load(const std::string& name, const std::string& path) const {
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, ReadModelBundle(path));
  if (bundle.description.name() != name) {
    return absl::DataLossError(absl::StrCat("the bundle at '", path, "' is of model '", bundle.description.name(),
                                            "', expected '", name, "'"));
  }
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, create_(bundle));
  std::shared_ptr<const StoredClassifier> classifier;
  if (bundle.description.has_fine_tuning()) {
    KWTA_ASSIGN_OR_RETURN(StoredClassifier stored, StoredClassifier::Create(bundle.tensors, encoder->code_width()));
    classifier = std::make_shared<const StoredClassifier>(std::move(stored));
  }
  const absl::Status warm = WarmUp(*encoder);
  if (!warm.ok()) {
    return absl::Status(warm.code(), absl::StrCat("the bundle at '", path, "' cannot encode: ", warm.message()));
  }
  auto model = std::make_shared<ServedModel>();
  model->name = name;
  model->description = std::move(bundle.description);
  model->encoder = std::move(encoder);
  model->classifier = std::move(classifier);
  return model;
}

}  // namespace kwta::server
