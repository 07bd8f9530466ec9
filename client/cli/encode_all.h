// Sends many rows through EncodeStream; shared by the commands that encode.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/client.h"
#include "core/evaluation/feature_rows.h"

namespace kwta::client::cli {

struct EncodedRows {
  EncodeResult codes;
  double seconds = 0;  // From the first request to the last answer.
};

// Encodes every row. Passes the number of finished rows to on_progress.
absl::StatusOr<EncodedRows> EncodeAll(Client& client, const std::string& model, const RowSource& source,
                                      const EncodeSettings& settings,
                                      const std::function<void(int64_t rows_done)>& on_progress);

// The codes as the input of a classifier. `codes` must outlive it.
std::unique_ptr<FeatureRows> FeaturesOf(const EncodeResult& codes);

// Adds --alpha and --k, which exclude each other.
void AddSparsityOptions(CLI::App& app, v1::EncodeOptions* options);

}  // namespace kwta::client::cli
