// Options of the command line that set fields of a message. The message keeps what belongs to a hyperparameter: its
// default comes from the library that resolves it, and an option that is not given leaves its field unset.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "google/protobuf/message.h"
#include "kwta/v1/job.pb.h"

namespace kwta::client::cli {

struct FieldOption {
  const char* flag;
  const char* field;  // Name in the message: uint32, uint64, float or bool.
  const char* help;   // Meaning and range.
  // What the default is, where it depends on other fields; null: the value in `defaults` is shown.
  const char* default_text = nullptr;
};

// Adds an option for each row. A bool becomes a pair of flags, --x and --no-x. `message` must outlive the parsing.
void AddFieldOptions(CLI::App& app, const char* group, const std::vector<FieldOption>& options,
                     const google::protobuf::Message& defaults, google::protobuf::Message* message);

// Adds --data, --validation-rows, --split-seed and --max-rows.
void AddDatasetOptions(CLI::App& app, v1::DatasetRef* dataset);

// Adds --split, which takes some of "train", "validation" and "test".
void AddSplitOption(CLI::App& app, const std::vector<std::string>& splits, v1::DatasetRef* dataset);

// Takes a name, or a path if there is a slash in it or it ends in .npy, .idx or .gz.
void SetDatasetSource(const std::string& text, v1::DatasetRef* dataset);

}  // namespace kwta::client::cli
