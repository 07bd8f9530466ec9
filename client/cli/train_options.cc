#include "client/cli/train_options.h"

#include <string>

#include "client/cli/spec_options.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/dataset.h"
#include "core/training/trainer.h"

namespace kwta::client::cli {
namespace {

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
      app, "Encoder k-sparse",
      {{"--units", "units", "Hidden units, 1 .. 1048576"},
       {"--k", "k", "Activities kept in each row at the end of training, 1 .. units"},
       {"--k-start", "k_start", "Activities kept in the first epoch, k .. units", "4 k, at most units"},
       {"--anneal-fraction", "anneal_fraction", "Fraction of the epochs over which k falls from k-start, 0 .. 1"},
       {"--init-sigma", "init_sigma", "Standard deviation of the initial weights, above 0"},
       {"--unit-norm", "unit_norm_atoms", "Keep every atom at unit length"},
       {"--alpha", "encode_alpha", "Encoding keeps alpha k activities unless its caller says otherwise, at least 1"}},
      defaults, spec);
}

void AddTrainingOptions(CLI::App& app, const v1::JobSpec& defaults, v1::JobSpec* spec) {
  constexpr char kGroup[] = "Training";
  AddFieldOptions(app, kGroup,
                  {{"--epochs", "epochs", "Passes over the training rows, 1 .. 1000000"},
                   {"--batch-size", "batch_size", "Rows an update, 1 .. 65536"},
                   {"--rate", "learning_rate", "Learning rate, above 0"},
                   {"--final-rate", "final_learning_rate",
                    "Learning rate at the end, reached linearly over the second half, 0 .. rate", "rate"},
                   {"--momentum", "momentum", "Momentum, 0 .. 1 without 1"},
                   {"--seed", "seed", "Seed of the initial weights and of the order of rows"},
                   {"--threads", "threads", "Threads of the trainer, 0 .. 1024; 0 takes every processor"}},
                  defaults.training(), spec->mutable_training());
  AddFieldOptions(app, kGroup, {{"--subtract-mean", "subtract_mean", "Subtract the mean of the training rows"}},
                  defaults.preprocessing(), spec->mutable_preprocessing());
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
  // k-sparse is the only kind so far, and so the kind of every job.
  app.add_option("--encoder", "Kind of encoder; default k-sparse")->check(CLI::IsMember(EncoderKindNames()));
  AddKSparseOptions(app, defaults.encoder().k_sparse(), spec->mutable_encoder()->mutable_k_sparse());
  AddTrainingOptions(app, defaults, spec);
}

}  // namespace kwta::client::cli
