#include "client/cli/options/train_options.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/options/spec_options.h"
#include "client/cli/options/step_options.h"
#include "core/base/parse_number.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/datasets/dataset.h"
#include "core/training/fine_tuning/fine_tuning_spec.h"
#include "core/training/job_spec.h"

namespace kwta::client::cli {
namespace {

constexpr char kEncoderGroup[] = "Encoder";
constexpr char kFineTuningGroup[] = "Fine-tuning";

// Returns every default, as the training library resolves it.
v1::JobSpec Defaults() {
  v1::JobSpec spec;
  spec.set_model("defaults");
  MutableKindSpec(*EncoderKinds().front(), spec.mutable_encoder());
  spec.mutable_dataset()->set_name(NamedDatasets().front());
  // This cannot fail: a failure would show as defaults of 0 in --help, and in the tests.
  ResolveJobSpec(&spec).IgnoreError();
  return spec;
}

// An option of the command line, and the kinds of encoder that have it.
struct EncoderOption {
  struct Of {
    const EncoderKind* kind;
    const SpecOption* row;
  };
  std::vector<Of> of;
};

// Returns the options of all kinds that jobs train. Kinds with the same flag share it.
std::vector<EncoderOption> EncoderOptions() {
  std::vector<EncoderOption> options;
  for (const EncoderKind* kind : EncoderKinds()) {
    for (const SpecOption& row : kind->options) {
      auto same = std::find_if(options.begin(), options.end(), [&row](const EncoderOption& option) {
        return absl::string_view(option.of.front().row->flag) == row.flag;
      });
      if (same == options.end()) same = options.insert(options.end(), EncoderOption());
      same->of.push_back({kind, &row});
    }
  }
  return options;
}

// Returns "0.01", or if kinds differ "0.01, winner-take-all: 0.02" or "none, rbm: 0.0002". Empty if none has a default.
std::string DefaultTexts(const EncoderOption& option) {
  std::string texts, first;
  for (const auto& [kind, row] : option.of) {
    v1::EncoderSpec defaults;
    google::protobuf::Message* spec = MutableKindSpec(*kind, &defaults);
    ResolveEncoder(&defaults).IgnoreError();  // see Defaults
    const std::string text = DefaultText(*row, *spec);
    if (kind == option.of.front().kind) {
      texts = first = text;
    } else if (text != first) {
      absl::StrAppend(&texts, texts.empty() ? "none, " : ", ", kind->name, ": ", text.empty() ? "none" : text);
    }
  }
  return texts;
}

void AddEncoderOptions(CLI::App& app, TrainOptions* options) {
  const std::vector<std::string> kinds = EncoderKindNames();
  options->encoder = kinds.front();
  app.add_option("--encoder", options->encoder, absl::StrCat("Kind of encoder; default ", kinds.front()))
      ->check(CLI::IsMember(kinds))
      ->group(kEncoderGroup);
  for (const EncoderKind* kind : EncoderKinds()) MutableKindSpec(*kind, &options->encoders[kind->name]);
  for (const EncoderOption& option : EncoderOptions()) {
    std::vector<google::protobuf::Message*> specs;
    for (const auto& [kind, row] : option.of) specs.push_back(MutableKindSpec(*kind, &options->encoders[kind->name]));
    const bool shared = option.of.size() > 1;
    AddFieldOption(app, shared ? kEncoderGroup : absl::StrCat(kEncoderGroup, " ", option.of.front().kind->name),
                   *option.of.front().row, DefaultTexts(option), specs);
  }
}

// Throws if the user gave an option for which refused(option) is true.
template <typename Refused>
void Refuse(const CLI::App& app, const Refused& refused, const std::string& why) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() > 0 && refused(*option)) throw CLI::ValidationError(option->get_name(), why);
  }
}

bool IsOfEncoders(const CLI::Option& option) { return absl::StartsWith(option.get_group(), kEncoderGroup); }

bool IsOf(const EncoderKind& kind, const CLI::Option& option) {
  return std::any_of(kind.options.begin(), kind.options.end(),
                     [&option](const SpecOption& row) { return option.check_name(row.flag); });
}

// Puts the chosen encoder, or fine-tuning, into the request.
void ChooseWhatToTrain(const CLI::App& app, TrainOptions* options) {
  if (options->fine_tune) {
    if (!options->request.spec().has_base()) {
      throw CLI::ValidationError("--fine-tune", "needs --base, the model to fine-tune");
    }
    Refuse(app, IsOfEncoders, "has no effect with --fine-tune, which adds no layer");
    *options->request.mutable_spec()->mutable_fine_tuning() = options->fine_tuning;
    return;
  }
  Refuse(
      app, [](const CLI::Option& option) { return option.get_group() == kFineTuningGroup; },
      "is an option of --fine-tune only");
  v1::EncoderSpec* encoder = options->request.mutable_spec()->mutable_encoder();
  *encoder = options->encoders.at(options->encoder);
  const EncoderKind& kind = *FindEncoderKind(*encoder);
  Refuse(
      app,
      [&kind](const CLI::Option& option) {
        return IsOfEncoders(option) && !option.check_name("--encoder") && !IsOf(kind, option);
      },
      absl::StrCat("is no option of ", kind.name, " encoders"));
}

// Returns "k-sparse true, winner-take-all false": the result of `text` for the defaults of each kind that jobs train.
template <typename Text>
std::string OfEachKind(const Text& text) {
  std::vector<std::string> texts;
  for (const EncoderKind* kind : EncoderKinds()) {
    if (!kind->of_layers)
      texts.push_back(absl::StrCat(kind->name, " ", text(kind->training_defaults(v1::EncoderSpec()))));
  }
  return absl::StrJoin(texts, ", ");
}

void AddPreprocessingOptions(CLI::App& app, const v1::PreprocessingSpec& defaults, v1::PreprocessingSpec* spec) {
  constexpr char kGroup[] = "Preprocessing";
  AddStepOptions(app, kGroup, spec);
  const std::string subtract_mean =
      OfEachKind([](const TrainingDefaults& kind) { return kind.subtract_mean ? "true" : "false"; });
  AddFieldOptions(app, kGroup,
                  {{"--u8-divisor", "u8_divisor", "Bytes are divided by it, above 0"},
                   {"--subtract-mean", "subtract_mean", "Subtract the mean of the training rows, after the steps",
                    subtract_mean.c_str()}},
                  defaults, spec);
}

// Returns "sgd for k-sparse, which takes no other, adam for winner-take-all".
std::string OwnOptimisers() {
  std::vector<std::string> texts;
  for (const EncoderKind* kind : EncoderKinds()) {
    if (kind->of_layers) continue;
    const auto* value = v1::Optimiser_descriptor()->FindValueByNumber(kind->own_optimiser);
    texts.push_back(
        absl::StrCat(ValueName(*value), " for ", kind->name, kind->other_optimisers ? "" : ", which takes no other"));
  }
  return absl::StrJoin(texts, ", ");
}

void AddTrainingOptions(CLI::App& app, const v1::JobSpec& defaults, v1::JobSpec* spec) {
  constexpr char kGroup[] = "Training";
  const std::string rates = absl::StrCat(
      OfEachKind([](const TrainingDefaults& kind) {
        return absl::StrCat(kind.learning_rate, kind.rate_times_energy > 0 ? ", less for rows of large norm" : "");
      }),
      ", --fine-tune 0.02");
  const std::string optimisers = absl::StrCat("the encoder's own: ", OwnOptimisers());
  AddFieldOptions(app, kGroup,
                  {{"--epochs", "epochs", "Passes over the training rows, 1 .. 1000000"},
                   {"--batch-size", "batch_size", "Rows an update, 1 .. 65536"},
                   {"--rate", "learning_rate", "Learning rate, above 0", rates.c_str()},
                   {"--final-rate", "final_learning_rate",
                    "Learning rate at the end, reached linearly over the second half, 0 .. rate", "0"},
                   {"--momentum", "momentum", "Momentum, 0 .. 1 without 1"},
                   {"--seed", "seed", "Seed of the initial weights and of the order of rows"},
                   {"--threads", "threads", "Threads of the trainer, 0 .. 1024; 0 takes every processor"},
                   {"--optimiser", "optimiser", "Gradient descent with momentum, or Adam", optimisers.c_str()}},
                  defaults.training(), spec->mutable_training());
}

void AddFineTuningOptions(CLI::App& app, TrainOptions* options) {
  app.add_flag("--fine-tune", options->fine_tune,
               "Fine-tune the model, or stack, that --base names with the labels of --data: a softmax "
               "classifier first, then the top layer with it, then the layers below, --epochs each")
      ->group(kFineTuningGroup);
  v1::JobSpec defaults;
  defaults.mutable_base()->set_model("defaults");
  defaults.mutable_fine_tuning();
  ResolveFineTuning(&defaults).IgnoreError();  // see Defaults
  AddFieldOptions(app, kFineTuningGroup,
                  {{"--classifier-epochs", "classifier_epochs",
                    "Passes in which the classifier is trained by itself at first, 1 .. 10000"},
                   {"--classifier-rate", "classifier_rate", "Learning rate of the classifier after that, above 0"},
                   {"--encoder-l2", "encoder_l2", "Penalty on half the squared atoms, at least 0"},
                   {"--classifier-l2", "classifier_l2", "Penalty on half the classifier's squared weights, at least 0"},
                   {"--input-dropout", "input_dropout", "Probability of dropping an input, 0 .. 1 without 1",
                    "what the model was trained with, 0 for k-sparse"},
                   {"--code-dropout", "code_dropout", "Probability of dropping an activity, 0 .. 1 without 1",
                    "what each layer was trained with, 0 for k-sparse"},
                   {"--adversarial-length", "adversarial_length",
                    "Length by which inputs are moved where their loss grows fastest, at least 0"},
                   {"--max-shift", "max_shift", "Pixels by which images are moved at random, at most"}},
                  defaults.fine_tuning(), &options->fine_tuning);
}

// Parses "MODEL" or "MODEL:VERSION"; returns false for anything else.
bool ParseBase(const std::string& text, v1::BaseModelRef* base) {
  const size_t colon = text.find(':');
  base->set_model(text.substr(0, colon));
  if (colon == std::string::npos) return !base->model().empty();
  const absl::StatusOr<uint64_t> version = NumberIn<uint64_t>::AtLeast(1).Parse(text.substr(colon + 1));
  base->set_version(version.value_or(0));
  return version.ok() && !base->model().empty();
}

}  // namespace

void AddTrainOptions(CLI::App& app, TrainOptions* options) {
  v1::JobSpec* spec = options->request.mutable_spec();
  const v1::JobSpec defaults = Defaults();
  app.add_option_function<std::string>(
         "--model", [spec](const std::string& name) { spec->set_model(name); },
         "Name to publish the model under: letters, digits, '-', '_' and '.'")
      ->required();
  app.add_option_function<std::string>(
      "--job-id", [options](const std::string& id) { options->request.set_job_id(id); },
      "Id of the job, for safe repetition: the same request again gives the same job; default: a new one");
  app.add_flag("--watch", options->watch, "Follow the job until it ends");
  AddDatasetOptions(app, spec->mutable_dataset());
  app.get_option("--data")->required();
  app.add_option_function<std::string>(
         "--base", [spec](const std::string& text) { ParseBase(text, spec->mutable_base()); },
         "Train the encoder as a new layer on the codes of this model; the model published is the stack of both")
      ->type_name("MODEL[:VERSION]")
      ->check([](const std::string& text) {
        v1::BaseModelRef base;
        return ParseBase(text, &base) ? "" : "expected MODEL or MODEL:VERSION, such as digits:3, not '" + text + "'";
      });
  AddEncoderOptions(app, options);
  AddPreprocessingOptions(app, defaults.preprocessing(), spec->mutable_preprocessing());
  AddFineTuningOptions(app, options);
  AddTrainingOptions(app, defaults, spec);
  app.parse_complete_callback([&app, options] { ChooseWhatToTrain(app, options); });
}

}  // namespace kwta::client::cli
