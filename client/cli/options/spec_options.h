// Options of the command line that set fields of a message. The message keeps what belongs to a hyperparameter: its
// default comes from the library that resolves it, and an option that is not given leaves its field unset.
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

// What an option's default is: the row's own words, else the field's value in `defaults`. Empty for a field that is a
// message.
std::string DefaultText(const SpecOption& option, const google::protobuf::Message& defaults);

// Adds an option that sets its field in each of `messages`, which must outlive the parsing. A bool becomes a pair of
// flags, --x and --no-x; an enumeration takes the names of its values, "each-map" for WINNER_SPARSITY_EACH_MAP; a
// message of numbers takes these in order, with commas.
void AddFieldOption(CLI::App& app, const std::string& group, const SpecOption& option, const std::string& default_text,
                    const std::vector<google::protobuf::Message*>& messages);

// Adds an option for each row.
void AddFieldOptions(CLI::App& app, const std::string& group, absl::Span<const SpecOption> options,
                     const google::protobuf::Message& defaults, google::protobuf::Message* message);

// "adam" for OPTIMISER_ADAM: what is left of the name of a value without that of its enumeration.
std::string ValueName(const google::protobuf::EnumValueDescriptor& value);

// Adds --data, --validation-rows, --split-seed and --max-rows.
void AddDatasetOptions(CLI::App& app, v1::DatasetRef* dataset);

// Adds --split, which takes some of "train", "validation" and "test".
void AddSplitOption(CLI::App& app, const std::vector<std::string>& splits, v1::DatasetRef* dataset);

// Takes a name, or a path if there is a slash in it or it ends in .npy, .idx or .gz.
void SetDatasetSource(const std::string& text, v1::DatasetRef* dataset);

}  // namespace kwta::client::cli
