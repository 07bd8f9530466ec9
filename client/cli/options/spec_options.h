// Command-line options that set fields of a message. The message owns each hyperparameter: the library that resolves it
// supplies the default, and an option that the user omits leaves its field unset.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/types/span.h"
#include "core/encoders/spec_option.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "kwta/v1/job.pb.h"

namespace kwta::client::cli {

// Returns the text of an option's default: the row's own words, else the field's value in `defaults`. Empty for a field
// that is a message.
std::string DefaultText(const SpecOption& option, const google::protobuf::Message& defaults);

// Adds an option that sets its field in each of `messages`, which must outlive the parsing. A bool becomes a pair of
// flags, --x and --no-x. An enumeration accepts the names of its values, "each-map" for WINNER_SPARSITY_EACH_MAP. A
// message of numbers accepts these in order, separated by commas. Of a oneof's fields, the user may set one.
void AddFieldOption(CLI::App& app, const std::string& group, const SpecOption& option, const std::string& default_text,
                    const std::vector<google::protobuf::Message*>& messages);

// Adds an option for each row.
void AddFieldOptions(CLI::App& app, const std::string& group, absl::Span<const SpecOption> options,
                     const google::protobuf::Message& defaults, google::protobuf::Message* message);

// Returns the name of a value without the prefix of its enumeration: "adam" for OPTIMISER_ADAM.
std::string ValueName(const google::protobuf::EnumValueDescriptor& value);

// Adds --data, --validation-rows, --split-seed and --max-rows.
void AddDatasetOptions(CLI::App& app, v1::DatasetRef* dataset);

// Adds --split, which accepts some of "train", "validation" and "test".
void AddSplitOption(CLI::App& app, const std::vector<std::string>& splits, v1::DatasetRef* dataset);

// Sets a path if `text` has a slash or ends in .npy, .idx or .gz, else a name.
void SetDatasetSource(const std::string& text, v1::DatasetRef* dataset);

}  // namespace kwta::client::cli
