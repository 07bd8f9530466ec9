#include "client/cli/encode_all.h"

#include <algorithm>
#include <utility>

#include "client/reply_assembler.h"
#include "core/base/parse_number.h"
#include "core/base/status_macros.h"

namespace kwta::client::cli {

absl::StatusOr<EncodedRows> EncodeAll(Client& client, const std::string& model, const RowSource& source,
                                      const EncodeSettings& settings,
                                      const std::function<void(int64_t rows_done)>& on_progress) {
  const absl::Time start = absl::Now();
  EncodeAssembler whole(source.rows);
  KWTA_RETURN_IF_ERROR(
      client.EncodeStream(model, source, settings, [&](int64_t first_row, EncodeResult piece) -> absl::Status {
        const int64_t rows_done = first_row + piece.rows();
        KWTA_RETURN_IF_ERROR(whole.Add(std::move(piece)));
        on_progress(rows_done);
        return absl::OkStatus();
      }));
  EncodedRows encoded;
  encoded.codes = std::move(whole).Finish();
  encoded.seconds = std::max(absl::ToDoubleSeconds(absl::Now() - start), 1e-9);
  return encoded;
}

std::unique_ptr<FeatureRows> FeaturesOf(const EncodeResult& codes) {
  if (const auto* dense = std::get_if<Tensor>(&codes.codes)) return std::make_unique<DenseFeatures>(dense->rows());
  return std::make_unique<CodeFeatures>(codes.sparse());
}

void AddSparsityOptions(CLI::App& app, v1::EncodeOptions* options) {
  CLI::Option* alpha = app.add_option_function<float>(
      "--alpha", [options](float value) { options->set_alpha(value); },
      "Keep alpha times the model's k activities a row, above 0; default: the model's own");
  alpha->transform(NumberIn<float>::Above(0).As<CLI::Validator>());
  app.add_option_function<uint32_t>(
         "--k", [options](uint32_t value) { options->set_k(value); }, "Keep k activities a row, 1 .. units")
      ->transform(NumberIn<uint32_t>::AtLeast(1).As<CLI::Validator>())
      ->excludes(alpha);
}

}  // namespace kwta::client::cli
