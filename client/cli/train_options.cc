#include "client/cli/train_options.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/spec_options.h"
#include "client/cli/step_options.h"
#include "core/base/parse_number.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/datasets/dataset.h"
#include "core/training/fine_tuning/fine_tuning_spec.h"
#include "core/training/job_spec.h"

namespace kwta::client::cli {
namespace {

constexpr char kEncoderGroup[] = "Encoder";
constexpr char kKSparseGroup[] = "Encoder k-sparse";
constexpr char kWinnerTakeAllGroup[] = "Encoder winner-take-all";
constexpr char kFineTuningGroup[] = "Fine-tuning";

// Every default there is, as the library that trains resolves them.
v1::JobSpec Defaults() {
  v1::JobSpec spec;
  spec.set_model("defaults");
  spec.mutable_encoder()->mutable_k_sparse();
  spec.mutable_dataset()->set_name(NamedDatasets().front());
  // Nothing in it can be wrong: a failure would show as defaults of 0 in --help, and in the tests.
  ResolveJobSpec(&spec).IgnoreError();
  return spec;
}

// encoder.proto documents each field and the paper it comes from; here is only what fits beside a flag.
void AddKSparseOptions(CLI::App& app, const v1::KSparseSpec& defaults, v1::KSparseSpec* spec) {
  AddFieldOptions(
      app, kKSparseGroup,
      {{"--units", "units", "Hidden units, 1 .. 1048576"},
       {"--k", "k", "Activities kept in each row at the end of training, 1 .. units"},
       {"--k-start", "k_start", "Activities kept in the first epoch, k .. units", "4 k, at most units"},
       {"--anneal-fraction", "anneal_fraction", "Fraction of the epochs over which k falls from k-start, 0 .. 1"},
       {"--unit-norm", "unit_norm_atoms", "Keep every atom at unit length"},
       {"--auxiliary-k", "auxiliary_k", "Dead units of a row that reconstruct what the others leave over, 0 .. units",
        "0, none"},
       {"--auxiliary-weight", "auxiliary_weight", "Weight of their error in the loss, above 0", "1/32"},
       {"--dead-after-rows", "dead_after_rows", "Training rows without it after which a unit is dead", "10000"},
       {"--alpha", "encode_alpha", "Encoding keeps alpha k activities unless its caller says otherwise, at least 1"}},
      defaults, spec);
}

// An option whose values are names of the numbers of an enumeration.
template <typename Set>
void AddNamedOption(CLI::App& app, const char* flag, const std::map<std::string, int>& names, const char* help,
                    const char* group, const Set& set) {
  app.add_option_function<std::string>(
         flag, [=](const std::string& name) { set(names.at(name)); }, help)
      ->check(CLI::IsMember(names))
      ->group(group);
}

void AddWinnerTakeAllOptions(CLI::App& app, v1::WinnerTakeAllSpec* spec) {
  v1::EncoderSpec defaults;
  defaults.mutable_winner_take_all();
  ResolveEncoder(&defaults).IgnoreError();  // see Defaults
  AddFieldOptions(
      app, kWinnerTakeAllGroup,
      {{"--maps", "maps", "Feature maps, 1 .. 65536"},
       {"--filter-size", "filter_size", "Width of the encoder's filters, 1 .. the image's smaller side"},
       {"--decoder-filter-size", "decoder_filter_size", "Width of the decoder's filters", "filter-size"},
       {"--winners", "winners", "Activities that training keeps in each map, or across maps", "1, across maps: maps"},
       {"--tied-weights", "tied_weights", "Decode with the encoder's filters"},
       {"--pool-width", "pool_width", "Width of the windows of max-pooling, 1 .. the image's smaller side"},
       {"--pool-stride", "pool_stride", "Distance of two windows"},
       {"--pool-padding", "pool_padding", "Zeros around the maps, 0 .. pool-width - 1", "pool-width / 2"},
       {"--decoder-init-sigma", "decoder_init_sigma", "Standard deviation of the decoder's initial filters, above 0",
        "0.02, with --base 0.001"},
       {"--biases-from-mean", "biases_from_mean", "Start the biases at the averages of the channels",
        "only with --base"}},
      defaults.winner_take_all(), spec);
  AddNamedOption(app, "--sparsity",
                 {{"each-map", v1::WINNER_SPARSITY_EACH_MAP},
                  {"across-maps", v1::WINNER_SPARSITY_ACROSS_MAPS},
                  {"none", v1::WINNER_SPARSITY_NONE}},
                 "Where training looks for winners; default each-map", kWinnerTakeAllGroup,
                 [spec](int value) { spec->set_sparsity(static_cast<v1::WinnerSparsity>(value)); });
  app.add_option_function<std::vector<uint32_t>>(
         "--image",
         [spec](const std::vector<uint32_t>& extents) {
           spec->mutable_input()->set_channels(extents[0]);
           spec->mutable_input()->set_height(extents[1]);
           spec->mutable_input()->set_width(extents[2]);
         },
         "What image a row is, if the data do not say")
      ->delimiter(',')
      ->transform(NumberIn<uint32_t>::Any().As<CLI::Validator>())
      ->expected(3)
      ->type_name("CHANNELS,HEIGHT,WIDTH")
      ->group(kWinnerTakeAllGroup);
}

void AddEncoderOptions(CLI::App& app, const v1::JobSpec& defaults, TrainOptions* options) {
  app.add_option("--encoder", options->encoder, "Kind of encoder; default k-sparse")
      ->check(CLI::IsMember(EncoderKindNames()))
      ->group(kEncoderGroup);
  app.add_option_function<float>(
         "--init-sigma",
         [options](float value) {
           options->k_sparse.set_init_sigma(value);
           options->winner_take_all.set_init_sigma(value);
         },
         absl::StrCat("Standard deviation of the encoder's initial weights, above 0; default ",
                      defaults.encoder().k_sparse().init_sigma(),
                      ", winner-take-all: 1.4 / (filter-size * sqrt(channels))"))
      ->transform(NumberIn<float>::Any().As<CLI::Validator>())
      ->group(kEncoderGroup);
  AddKSparseOptions(app, defaults.encoder().k_sparse(), &options->k_sparse);
  AddWinnerTakeAllOptions(app, &options->winner_take_all);
}

// Throws if an option of the group was given, which would have no effect.
void RefuseGroup(const CLI::App& app, const std::string& group, const std::string& why) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() == group && option->count() > 0) throw CLI::ValidationError(option->get_name(), why);
  }
}

// Puts the chosen encoder, or fine-tuning, into the request.
void ChooseWhatToTrain(const CLI::App& app, TrainOptions* options) {
  if (options->fine_tune) {
    if (!options->request.spec().has_base()) {
      throw CLI::ValidationError("--fine-tune", "needs --base, the model to fine-tune");
    }
    const char why[] = "has no effect with --fine-tune, which adds no layer";
    RefuseGroup(app, kEncoderGroup, why);
    RefuseGroup(app, kKSparseGroup, why);
    RefuseGroup(app, kWinnerTakeAllGroup, why);
    *options->request.mutable_spec()->mutable_fine_tuning() = options->fine_tuning;
    return;
  }
  RefuseGroup(app, kFineTuningGroup, "is an option of --fine-tune only");
  const bool winner_take_all = options->encoder == "winner-take-all";
  RefuseGroup(app, winner_take_all ? kKSparseGroup : kWinnerTakeAllGroup,
              absl::StrCat("is no option of ", options->encoder, " encoders"));
  v1::EncoderSpec* encoder = options->request.mutable_spec()->mutable_encoder();
  if (winner_take_all) {
    *encoder->mutable_winner_take_all() = options->winner_take_all;
  } else {
    *encoder->mutable_k_sparse() = options->k_sparse;
  }
}

void AddPreprocessingOptions(CLI::App& app, const v1::PreprocessingSpec& defaults, v1::PreprocessingSpec* spec) {
  constexpr char kGroup[] = "Preprocessing";
  AddStepOptions(app, kGroup, spec);
  AddFieldOptions(app, kGroup,
                  {{"--u8-divisor", "u8_divisor", "Bytes are divided by it, above 0"},
                   {"--subtract-mean", "subtract_mean", "Subtract the mean of the training rows, after the steps",
                    "k-sparse true, winner-take-all false"}},
                  defaults, spec);
}

void AddTrainingOptions(CLI::App& app, const v1::JobSpec& defaults, v1::JobSpec* spec) {
  constexpr char kGroup[] = "Training";
  AddFieldOptions(app, kGroup,
                  {{"--epochs", "epochs", "Passes over the training rows, 1 .. 1000000"},
                   {"--batch-size", "batch_size", "Rows an update, 1 .. 65536"},
                   {"--rate", "learning_rate", "Learning rate, above 0",
                    "k-sparse 0.01, less for rows of large norm, winner-take-all 0.001, --fine-tune 0.02"},
                   {"--final-rate", "final_learning_rate",
                    "Learning rate at the end, reached linearly over the second half, 0 .. rate", "0"},
                   {"--momentum", "momentum", "Momentum, 0 .. 1 without 1"},
                   {"--seed", "seed", "Seed of the initial weights and of the order of rows"},
                   {"--threads", "threads", "Threads of the trainer, 0 .. 1024; 0 takes every processor"}},
                  defaults.training(), spec->mutable_training());
  AddNamedOption(app, "--optimiser", {{"sgd", v1::OPTIMISER_SGD}, {"adam", v1::OPTIMISER_ADAM}},
                 "Gradient descent with momentum, or Adam; default the encoder's own: sgd for k-sparse, which takes no "
                 "other, adam for winner-take-all",
                 kGroup,
                 [spec](int value) { spec->mutable_training()->set_optimiser(static_cast<v1::Optimiser>(value)); });
}

void AddFineTuningOptions(CLI::App& app, TrainOptions* options) {
  app.add_flag("--fine-tune", options->fine_tune,
               "Fine-tune the k-sparse model, or stack, that --base names with the labels of --data: a softmax "
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
                   {"--input-dropout", "input_dropout", "Probability of dropping an input, 0 .. 1 without 1"},
                   {"--code-dropout", "code_dropout", "Probability of dropping an activity, 0 .. 1 without 1"},
                   {"--adversarial-length", "adversarial_length",
                    "Length by which inputs are moved where their loss grows fastest, at least 0"},
                   {"--max-shift", "max_shift", "Pixels by which images are moved at random, at most"}},
                  defaults.fine_tuning(), &options->fine_tuning);
}

// "MODEL" or "MODEL:VERSION"; false if it is neither.
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
  AddEncoderOptions(app, defaults, options);
  AddPreprocessingOptions(app, defaults.preprocessing(), spec->mutable_preprocessing());
  AddFineTuningOptions(app, options);
  AddTrainingOptions(app, defaults, spec);
  app.parse_complete_callback([&app, options] { ChooseWhatToTrain(app, options); });
}

}  // namespace kwta::client::cli
