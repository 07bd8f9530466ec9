#include "core/encoders/k_sparse.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/invalid_field.h"
#include "core/base/row_blocks.h"
#include "core/base/status_macros.h"
#include "core/encoders/affine_layer.h"

namespace kwta {
namespace {

constexpr uint32_t kMaxUnits = 1u << 20;

class KSparseEncoder : public Encoder {
 public:
  KSparseEncoder(const v1::KSparseSpec& spec, AffineLayer layer)
      : spec_(spec), units_(spec.units()), layer_(std::move(layer)) {}

  absl::Status Prepare() {
    KWTA_ASSIGN_OR_RETURN(dictionary_,
                          layer_.backend().PrepareDictionary(layer_.atoms(), layer_.bias(), units_, layer_.width()));
    return absl::OkStatus();
  }

  int64_t input_width() const override { return layer_.input_width(); }
  int64_t reconstruction_width() const override { return layer_.width(); }
  int64_t code_width() const override { return units_; }
  int64_t parameter_bytes() const override { return layer_.bytes(); }

  EncodingPath path() const override { return dictionary_->path(); }
  uint64_t path_changes() const override { return dictionary_->path_changes(); }

  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override;
  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override;
  absl::Status Decode(const SparseCodes& codes, float* out) const override;
  absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const override {
    const int64_t size = x.rows * layer_.width();
    TrainedRows trained{layer_.width(), std::vector<float>(size), std::vector<float>(size)};
    KWTA_RETURN_IF_ERROR(layer_.preprocessor().ApplySteps(x, trained.x.data()));
    KWTA_RETURN_IF_ERROR(Reconstruct(x, spec_.k(), trained.reconstructions.data()));
    return trained;
  }

 private:
  const v1::KSparseSpec spec_;
  const int64_t units_;
  const AffineLayer layer_;
  std::unique_ptr<Dictionary> dictionary_;  // points to the layer's atoms and biases
};

absl::StatusOr<int64_t> KSparseEncoder::ResolveK(const EncodeOptions& options) const {
  if (options.alpha != 0 && options.k != 0) {
    return absl::InvalidArgumentError(absl::StrCat("both alpha (", options.alpha, ") and k (", options.k,
                                                   ") are set; set one of them, or neither for the model's default"));
  }
  if (options.k != 0) {
    if (options.k < 1 || options.k > units_) {
      return absl::InvalidArgumentError(
          absl::StrCat("k is ", options.k, "; expected 1 .. ", units_, ", the model's units"));
    }
    return options.k;
  }
  const double alpha = options.alpha != 0 ? options.alpha : spec_.encode_alpha();
  const double product = std::round(alpha * spec_.k());
  if (!(product >= 1 && product <= static_cast<double>(units_))) {  // false for NaN too
    return absl::InvalidArgumentError(absl::StrCat("alpha is ", alpha, ", which asks for round(alpha * ", spec_.k(),
                                                   ") = ", product, " activities; expected 1 .. ", units_,
                                                   ", the model's units"));
  }
  return static_cast<int64_t>(product);
}

absl::Status KSparseEncoder::Encode(const RowsView& x, int64_t k, Codes* out) const {
  SparseCodes* const codes = SparseIn(out);
  codes->units = units_;
  codes->row_offsets.resize(x.rows + 1);
  for (int64_t i = 0; i <= x.rows; ++i) codes->row_offsets[i] = i * k;
  codes->indices.resize(x.rows * k);
  codes->values.resize(x.rows * k);

  const int64_t width = layer_.width();
  const Preprocessor& preprocessor = layer_.preprocessor();
  Backend& backend = layer_.backend();
  const int64_t block_rows = ScratchRows(width * sizeof(float));
  std::unique_ptr<float[]> converted;
  // Backends convert bytes themselves, and only if they must.
  const bool bytes = x.dtype == DType::kU8 && !preprocessor.has_steps();
  if (!bytes && (x.dtype != DType::kF32 || preprocessor.has_steps())) {
    converted.reset(new float[std::min(block_rows, x.rows) * width]);
  }
  return ForEachRowBlock(x.rows, block_rows, [&](int64_t begin, int64_t rows) {
    const void* taken = x.row(begin);
    if (converted != nullptr) {
      KWTA_RETURN_IF_ERROR(preprocessor.ApplySteps(x.Slice(begin, rows), converted.get()));
      taken = converted.get();
    }
    KWTA_ASSIGN_OR_RETURN(StagedInput input,
                          StagedInput::Create(backend, taken, rows * width * (bytes ? 1 : sizeof(float))));
    KWTA_ASSIGN_OR_RETURN(StagedOutput indices,
                          StagedOutput::Create(backend, codes->indices.data() + begin * k, rows * k * sizeof(int32_t)));
    KWTA_ASSIGN_OR_RETURN(StagedOutput values,
                          StagedOutput::Create(backend, codes->values.data() + begin * k, rows * k * sizeof(float)));
    AffineTopKArgs args;
    args.dictionary = dictionary_.get();
    if (bytes) {
      args.bytes = input.as<uint8_t>();
      args.divisor = preprocessor.u8_divisor();
    } else {
      args.x = input.as<float>();
    }
    args.rows = rows;
    args.k = k;
    args.indices = indices.as<int32_t>();
    args.values = values.as<float>();
    KWTA_RETURN_IF_ERROR(backend.AffineTopK(args));
    KWTA_RETURN_IF_ERROR(indices.Finish(backend));
    return values.Finish(backend);
  });
}

absl::Status KSparseEncoder::Decode(const SparseCodes& codes, float* out) const {
  const int64_t k = codes.RectangularWidth(), width = layer_.width();
  return ForEachRowBlock(codes.rows(), ScratchRows((width + 2 * k) * sizeof(float)), [&](int64_t begin, int64_t rows) {
    return layer_.Decode(codes.indices.data() + begin * k, codes.values.data() + begin * k, rows, k,
                         out + begin * width);
  });
}

constexpr SpecOption kKSparseOptions[] = {
    {"--units", "units", "Hidden units, 1 .. 1048576"},
    {"--k", "k", "Activities kept in each row at the end of training, 1 .. units"},
    {"--k-start", "k_start", "Activities kept in the first epoch, k .. units", "4 k, at most units"},
    {"--anneal-fraction", "anneal_fraction", "Fraction of the epochs over which k falls from k-start, 0 .. 1"},
    {"--init-sigma", "init_sigma", "Standard deviation of the encoder's initial weights, above 0"},
    {"--unit-norm", "unit_norm_atoms", "Keep every atom at unit length"},
    {"--auxiliary-k", "auxiliary_k", "Dead units of a row that reconstruct what the others leave over, 0 .. units",
     "0, none"},
    {"--auxiliary-weight", "auxiliary_weight", "Weight of their error in the loss, above 0", "1/32"},
    {"--dead-after-rows", "dead_after_rows", "Training rows without it after which a unit is dead", "10000"},
    {"--alpha", "encode_alpha", "Encoding keeps alpha k activities unless its caller says otherwise, at least 1"},
};

constexpr const char* kKSparseTraits[] = {"k", "auxiliary_k"};

// Beside the defaults of 0.01 and 1/32.
constexpr StrongSetting kKSparseStrong[] = {{"init_sigma", 0.1f}, {"auxiliary_weight", 1}};

}  // namespace

const EncoderKind& KSparseKind() {
  static const EncoderKind kind = [] {
    EncoderKind row;
    row.name = "k-sparse";
    row.kind_case = v1::EncoderSpec::kKSparse;
    row.training_defaults = [](const v1::EncoderSpec&) -> TrainingDefaults { return {true, 0.01f, 0.25f}; };
    row.options = kKSparseOptions;
    row.traits = kKSparseTraits;
    row.strong_settings = kKSparseStrong;
    row.resolve = [](v1::EncoderSpec* spec) { return ResolveKSparse(spec->mutable_k_sparse()); };
    row.code_shape = [](const v1::EncoderSpec& spec) -> Shape { return {spec.k_sparse().units()}; };
    row.row_scores = [](const v1::EncoderSpec& spec) -> int64_t { return spec.k_sparse().units(); };
    row.tuned_code = [](const v1::EncoderSpec& spec) {
      TunedCode code;
      code.k = std::llround(double{spec.k_sparse().encode_alpha()} * spec.k_sparse().k());
      return code;
    };
    row.create_learner = [](const LearnerSetup& setup) {
      return CreateKSparseLearner(setup.encoder.k_sparse(), ElementCount(setup.row_shape), setup.training.seed(),
                                  setup.backend, setup.mean);
    };
    row.create_encoder = CreateKSparseEncoder;
    return row;
  }();
  return kind;
}

absl::Status ResolveKSparse(v1::KSparseSpec* spec) {
  if (!spec->has_units()) spec->set_units(1000);
  if (spec->units() < 1 || spec->units() > kMaxUnits) {
    return InvalidField("encoder.k_sparse.units", spec->units(), absl::StrCat("1 .. ", kMaxUnits));
  }
  const uint32_t units = spec->units();
  if (!spec->has_k()) spec->set_k(25);
  const uint32_t k = spec->k();
  if (k < 1 || k > units) return InvalidField("encoder.k_sparse.k", k, absl::StrCat("1 .. ", units, ", the units"));
  if (!spec->has_k_start()) spec->set_k_start(static_cast<uint32_t>(std::min<uint64_t>(uint64_t{4} * k, units)));
  if (spec->k_start() < k || spec->k_start() > units) {
    return InvalidField("encoder.k_sparse.k_start", spec->k_start(),
                        absl::StrCat(k, " .. ", units, ", from k to the units"));
  }
  if (!spec->has_anneal_fraction()) spec->set_anneal_fraction(0.5f);
  if (!(spec->anneal_fraction() >= 0 && spec->anneal_fraction() <= 1)) {
    return InvalidField("encoder.k_sparse.anneal_fraction", spec->anneal_fraction(), "0 .. 1");
  }
  if (!spec->has_init_sigma()) spec->set_init_sigma(0.01f);
  if (!(spec->init_sigma() > 0) || !std::isfinite(spec->init_sigma())) {
    return InvalidField("encoder.k_sparse.init_sigma", spec->init_sigma(), "a finite number above 0, such as 0.01");
  }
  if (!spec->has_unit_norm_atoms()) spec->set_unit_norm_atoms(false);
  if (spec->auxiliary_k() > units) {
    return InvalidField("encoder.k_sparse.auxiliary_k", spec->auxiliary_k(),
                        absl::StrCat("0 .. ", units, ", the units"));
  }
  if (spec->auxiliary_k() > 0) {
    if (!spec->has_auxiliary_weight()) spec->set_auxiliary_weight(1.0f / 32);
    if (!spec->has_dead_after_rows()) spec->set_dead_after_rows(10'000);
  }
  if (spec->has_auxiliary_weight() && (!(spec->auxiliary_weight() > 0) || !std::isfinite(spec->auxiliary_weight()))) {
    return InvalidField("encoder.k_sparse.auxiliary_weight", spec->auxiliary_weight(),
                        "a finite number above 0, such as 0.03125");
  }
  if (spec->has_dead_after_rows() && spec->dead_after_rows() == 0) {
    return InvalidField("encoder.k_sparse.dead_after_rows", spec->dead_after_rows(), "at least 1");
  }
  if (!spec->has_encode_alpha()) spec->set_encode_alpha(1);
  if (!(spec->encode_alpha() >= 1 && std::round(double{spec->encode_alpha()} * k) <= units)) {
    return InvalidField(
        "encoder.k_sparse.encode_alpha", spec->encode_alpha(),
        absl::StrCat("1 .. ", static_cast<double>(units) / k, ", so that alpha * k <= ", units, ", the units"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Encoder>> CreateKSparseEncoder(const ModelBundle& bundle,
                                                                    std::shared_ptr<Backend> backend) {
  v1::KSparseSpec spec = bundle.description.encoder().k_sparse();
  if (const absl::Status status = ResolveKSparse(&spec); !status.ok()) {
    return absl::DataLossError(absl::StrCat("the model's description is not valid: ", status.message()));
  }
  KWTA_ASSIGN_OR_RETURN(AffineLayer layer, AffineLayer::Load(bundle, spec.units(), std::move(backend)));
  auto encoder = std::make_shared<KSparseEncoder>(spec, std::move(layer));
  KWTA_RETURN_IF_ERROR(encoder->Prepare());
  return encoder;
}

}  // namespace kwta
