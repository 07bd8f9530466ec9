#include "client/cli/evaluation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/encode_all.h"
#include "client/cli/model_input.h"
#include "core/base/cpu.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/activation_statistics.h"
#include "core/evaluation/linear_probe.h"
#include "core/evaluation/stored_classifier.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta::client::cli {
namespace {

constexpr int64_t kReconstructedRows = 2048;  // Rows a call.
// One row in this many chooses the probe: 10,000 of 60,000, and the same share of smaller data sets.
constexpr int64_t kValidationShare = 6;

// Images with classes, in memory.
struct Part {
  Tensor rows;
  std::vector<int32_t> labels;
};

absl::StatusOr<Part> LoadPart(LocalDataset data, v1::DatasetSplit split) {
  data.reference.set_split(split);
  KWTA_ASSIGN_OR_RETURN(const Dataset dataset, data.Load());
  if (!dataset.labelled()) {
    return absl::InvalidArgumentError(
        "the data have no labels to train a probe on; name a labelled data set with --data");
  }
  KWTA_ASSIGN_OR_RETURN(Tensor rows, Gathered(dataset));
  return Part{std::move(rows), dataset.Labels()};
}

// Holds what the steps of an evaluation share.
class Evaluator {
 public:
  Evaluator(Client& client, const EvaluationOptions& options, StageProgress& progress)
      : client_(client), options_(options), progress_(progress), pool_(AvailableProcessors()) {}

  absl::StatusOr<EvaluationReport> Run() {
    KWTA_RETURN_IF_ERROR(Describe());
    progress_.Start("reading the data");
    KWTA_ASSIGN_OR_RETURN(training_, LoadPart(options_.data, v1::DATASET_SPLIT_TRAIN));
    KWTA_ASSIGN_OR_RETURN(evaluation_, LoadPart(options_.data, options_.data.reference.split()));
    report_.training_rows = training_.rows.shape()[0];
    if (report_.training_rows < kValidationShare) {
      return absl::InvalidArgumentError(
          absl::StrCat("the data have ", report_.training_rows, " training rows; expected at least ", kValidationShare,
                       ": one row in ", kValidationShare, " chooses the probe's settings"));
    }
    report_.evaluation_rows = evaluation_.rows.shape()[0];
    classes_ = 1 + *std::max_element(training_.labels.begin(), training_.labels.end());

    KWTA_ASSIGN_OR_RETURN(const EncodedRows training,
                          Encode("encoding the training images", training_, options_.settings.options));
    report_.encode_rows_per_second = static_cast<double>(report_.training_rows) / training.seconds;
    report_.dense_codes = std::holds_alternative<Tensor>(training.codes.codes);
    report_.takes_k = training.codes.rows_of_k;
    const ActivationStatistics activity = Statistics(training.codes);
    report_.activation_fraction = activity.ActiveUnitFraction();
    report_.dead_units = activity.DeadUnits();
    KWTA_ASSIGN_OR_RETURN(const EncodedRows evaluation,
                          Encode("encoding the evaluation images", evaluation_, options_.settings.options));
    report_.l0 = Statistics(evaluation.codes).L0();
    const Preprocessor preprocessor(report_.model.description().preprocessing(), {});
    KWTA_ASSIGN_OR_RETURN(report_.fraction_variance_unexplained,
                          Unexplained("reconstructing the evaluation images", options_.settings.options, preprocessor));
    if (report_.takes_k) KWTA_RETURN_IF_ERROR(CompareWithAlpha1(preprocessor));
    if (report_.model.description().has_fine_tuning()) {
      KWTA_ASSIGN_OR_RETURN(client::Classifier received,
                            client_.GetClassifier(options_.model, report_.model.version()));
      KWTA_ASSIGN_OR_RETURN(const StoredClassifier own,
                            StoredClassifier::Create(std::move(received.weights), std::move(received.bias)));
      const int64_t wrong = own.CountWrong(*FeaturesOf(evaluation.codes), evaluation_.labels);
      report_.own_classifier_error = static_cast<double>(wrong) / static_cast<double>(report_.evaluation_rows);
    }
    KWTA_ASSIGN_OR_RETURN(report_.codes, ProbeCodes(training.codes, evaluation.codes));
    if (options_.pixels) {
      KWTA_ASSIGN_OR_RETURN(report_.pixels, Probe("raw pixels", DenseFeatures(training_.rows.rows()),
                                                  DenseFeatures(evaluation_.rows.rows()), ProbeOptions(), {}));
    }
    return std::move(report_);
  }

 private:
  absl::Status CompareWithAlpha1(const Preprocessor& preprocessor) {
    v1::EncodeOptions alpha_1;
    alpha_1.set_alpha(1);
    KWTA_ASSIGN_OR_RETURN(const EncodedRows narrow,
                          Encode("encoding the training images at alpha 1", training_, alpha_1));
    report_.dead_units_alpha_1 = Statistics(narrow.codes).DeadUnits();
    KWTA_ASSIGN_OR_RETURN(report_.fraction_variance_unexplained_alpha_1,
                          Unexplained("reconstructing the evaluation images at alpha 1", alpha_1, preprocessor));
    return absl::OkStatus();
  }

  // Looks up the version that is meant now, which then encodes everything.
  absl::Status Describe() {
    KWTA_ASSIGN_OR_RETURN(const v1::Model model, client_.GetModel(options_.model));
    KWTA_ASSIGN_OR_RETURN(report_.model, ChosenVersion(model, options_.settings));
    KWTA_ASSIGN_OR_RETURN(const v1::StatusResponse status, client_.ServerStatus());
    report_.http_address = status.http_address();
    report_.http_tls = status.http_tls();
    return absl::OkStatus();
  }

  EncodeSettings Settings(const v1::EncodeOptions& options) const {
    EncodeSettings settings;
    settings.version = report_.model.version();
    settings.options = options;  // in the layout of the model's own codes
    return settings;
  }

  absl::StatusOr<EncodedRows> Encode(const std::string& stage, const Part& part, const v1::EncodeOptions& options) {
    progress_.Start(stage);
    const double rows = static_cast<double>(part.rows.shape()[0]);
    return EncodeAll(client_, options_.model, RowSource::Of(part.rows.rows()), Settings(options),
                     [&](int64_t rows_done) { progress_.Update(static_cast<double>(rows_done) / rows); });
  }

  ActivationStatistics Statistics(const EncodeResult& codes) const {
    if (const auto* dense = std::get_if<Tensor>(&codes.codes)) {
      ActivationStatistics statistics(dense->shape()[1], ActiveAbove(report_.model.description().encoder()));
      statistics.AddDense(dense->as<float>(), dense->shape()[0]);
      return statistics;
    }
    ActivationStatistics statistics(codes.sparse().units);
    statistics.Add(codes.sparse());
    return statistics;
  }

  // Returns nullopt if the model has preprocessing steps, because it reconstructs a row after them, which only it
  // knows. Also returns nullopt if the model was fine-tuned, because its decoder is still the one from before.
  absl::StatusOr<std::optional<double>> Unexplained(const std::string& stage, const v1::EncodeOptions& options,
                                                    const Preprocessor& preprocessor) {
    const v1::ModelDescription& model = report_.model.description();
    if (model.preprocessing().steps_size() > 0 || model.has_fine_tuning()) return std::nullopt;
    progress_.Start(stage);
    const RowsView rows = evaluation_.rows.rows();
    UnexplainedVariance unexplained(rows.width);
    std::vector<float> x;
    for (int64_t begin = 0; begin < rows.rows; begin += kReconstructedRows) {
      const RowsView piece = rows.Slice(begin, std::min(kReconstructedRows, rows.rows - begin));
      KWTA_ASSIGN_OR_RETURN(const ReconstructResult result,
                            client_.Reconstruct(options_.model, piece, Settings(options)));
      x.resize(piece.rows * piece.width);
      preprocessor.ToFloat(piece, x.data());
      unexplained.Add(x.data(), result.output.as<float>(), piece.rows);
      progress_.Update(static_cast<double>(begin) / static_cast<double>(rows.rows));
    }
    return unexplained.Fraction();
  }

  LinearProbeOptions ProbeOptions() const {
    LinearProbeOptions options;
    options.loss = options_.classifier;
    return options;
  }

  absl::StatusOr<ProbeResult> ProbeCodes(const EncodeResult& training, const EncodeResult& evaluation) {
    LinearProbeOptions options = ProbeOptions();
    ProbeGrid grid;
    if (report_.dense_codes) {
      // Pooled maps are positive and of similar size, so they are centred, and half of them are dropped in each update.
      options.scaling = FeatureScaling::kCentred;
      grid.dropout = {0.5};
    }
    return Probe("codes", *FeaturesOf(training), *FeaturesOf(evaluation), options, grid);
  }

  absl::StatusOr<ProbeResult> Probe(const std::string& name, const FeatureRows& training, const FeatureRows& evaluation,
                                    const LinearProbeOptions& options, ProbeGrid grid) {
    progress_.Start("training a probe on " + name);
    grid.validation_rows = std::min(grid.validation_rows, training.rows() / kValidationShare);
    KWTA_ASSIGN_OR_RETURN(const SelectedProbe selected, SelectProbe({&training, training_.labels, classes_}, options,
                                                                    grid, pool_, [&](double fraction) {
                                                                      progress_.Update(fraction);
                                                                      return absl::OkStatus();
                                                                    }));
    return ProbeResult{selected.probe.ErrorRate({&evaluation, evaluation_.labels, classes_}), selected.validation_error,
                       selected.options.l2, selected.options.epochs};
  }

  Client& client_;
  const EvaluationOptions& options_;
  StageProgress& progress_;
  ThreadPool pool_;
  Part training_, evaluation_;
  int classes_ = 0;
  EvaluationReport report_;
};

}  // namespace

absl::StatusOr<EvaluationReport> Evaluate(Client& client, const EvaluationOptions& options, StageProgress& progress) {
  return Evaluator(client, options, progress).Run();
}

}  // namespace kwta::client::cli
