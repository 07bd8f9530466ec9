#include "core/encoders/encoder_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "tests/core/encoders/k_sparse_fixture.h"

namespace kwta::encoder_registry_test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::shared_ptr<Backend> Reference() { return CreateBackend("reference", {1}).value(); }

TEST(EncoderRegistry, NamesItsKinds) {
  v1::EncoderSpec spec;
  EXPECT_EQ(EncoderKindName(spec), "");
  spec.mutable_k_sparse();
  EXPECT_EQ(EncoderKindName(spec), "k-sparse");
  EXPECT_THAT(EncoderKindNames(), Contains("k-sparse"));
}

TEST(EncoderRegistry, HasARowForEveryKindOfTheSpec) {
  const auto* kinds = v1::EncoderSpec::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    v1::EncoderSpec spec;
    spec.GetReflection()->MutableMessage(&spec, kinds->field(i));
    ASSERT_NE(FindEncoderKind(spec), nullptr) << kinds->field(i)->name();
    EXPECT_EQ(FindEncoderKind(spec)->kind_case, kinds->field(i)->number());
  }
  EXPECT_EQ(EncoderKinds().size(), static_cast<size_t>(kinds->field_count()));
  v1::EncoderSpec none;
  EXPECT_EQ(FindEncoderKind(none), nullptr);
}

TEST(EncoderRegistry, RowsAreComplete) {
  for (const EncoderKind* kind : EncoderKinds()) {
    SCOPED_TRACE(kind->name);
    EXPECT_NE(kind->resolve, nullptr);
    EXPECT_NE(kind->code_shape, nullptr);
    EXPECT_NE(kind->create_learner, nullptr);
    EXPECT_NE(kind->create_encoder, nullptr);
    EXPECT_EQ(kind->options.empty(), kind->of_layers);
    v1::EncoderSpec spec;
    const auto* fields = MutableKindSpec(*kind, &spec)->GetDescriptor();
    EXPECT_EQ(spec.kind_case(), kind->kind_case);
    std::set<std::string> flags;
    for (const SpecOption& option : kind->options) {
      EXPECT_THAT(option.flag, StartsWith("--"));
      EXPECT_TRUE(flags.insert(option.flag).second) << option.flag << " is there twice";
      EXPECT_NE(fields->FindFieldByName(option.field), nullptr) << option.flag;
      EXPECT_STRNE(option.help, "") << option.flag;
    }
  }
}

TEST(EncoderRegistry, KnowsTheShapesOfCodes) {
  v1::ModelDescription model;
  EXPECT_EQ(CodeShape(model), Shape{0});
  model.mutable_encoder()->mutable_k_sparse()->set_units(12);
  EXPECT_EQ(CodeShape(model), Shape{12});
  model.mutable_preprocessing()->mutable_input()->set_channels(2);
  model.mutable_preprocessing()->add_steps()->mutable_separate_views();
  EXPECT_EQ(CodeShape(model), Shape{24});
  v1::ModelDescription stack = model;  // its lowest layer separates views
  *stack.mutable_encoder()->mutable_stack()->add_layers() = model.encoder();
  stack.mutable_encoder()->mutable_stack()->add_layers()->mutable_k_sparse()->set_units(5);
  EXPECT_EQ(CodeShape(stack), Shape{5});
  v1::WinnerTakeAllSpec& maps = *model.mutable_encoder()->mutable_winner_take_all();
  EXPECT_EQ(CodeShape(model), Shape{0});  // of what image?
  maps.set_maps(3);
  maps.mutable_input()->set_channels(1);
  maps.mutable_input()->set_height(28);
  maps.mutable_input()->set_width(28);
  EXPECT_EQ(CodeShape(model), (Shape{6, 10, 10}));
}

TEST(EncoderRegistry, LimitsBatchesOfKindsThatHoldAllScores) {
  v1::EncoderSpec spec;
  EXPECT_EQ(RowScores(spec), 0);
  spec.mutable_k_sparse()->set_units(12);
  EXPECT_EQ(RowScores(spec), 12);
  spec.mutable_winner_take_all()->set_maps(12);
  EXPECT_EQ(RowScores(spec), 0);
}

TEST(EncoderRegistry, LayersOnAnotherModelHaveDefaultsOfTheirOwn) {
  v1::EncoderSpec spec;
  SetLayerDefaults(&spec);
  EXPECT_EQ(spec.kind_case(), v1::EncoderSpec::KIND_NOT_SET);
  spec.mutable_winner_take_all()->set_biases_from_mean(false);
  SetLayerDefaults(&spec);
  EXPECT_FALSE(spec.winner_take_all().biases_from_mean());
  EXPECT_EQ(spec.winner_take_all().decoder_init_sigma(), 0.001f);
  spec.mutable_k_sparse();
  SetLayerDefaults(&spec);
  EXPECT_EQ(spec.k_sparse().ByteSizeLong(), 0u);
}

TEST(EncoderRegistry, RefusesASpecWithoutAKind) {
  v1::EncoderSpec spec;
  absl::Status status = ResolveEncoder(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected one of: k-sparse"));
  status = CreateEncoder(ModelBundle(), Reference()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected one of: k-sparse"));
}

TEST(EncoderRegistry, CreatesLearnersAndEncoders) {
  const ModelBundle bundle = RandomKSparseModel(12, 7, 3, false, 1);
  const auto encoder = CreateEncoder(bundle, Reference());
  ASSERT_TRUE(encoder.ok());
  EXPECT_EQ((*encoder)->code_width(), 12);
  v1::TrainingSpec training;
  ASSERT_TRUE(ResolveOptimiser(bundle.description.encoder(), &training).ok());
  const auto learner = CreateLearner(bundle.description.encoder(), {7}, training, Reference());
  ASSERT_TRUE(learner.ok());
  EXPECT_EQ((*learner)->units(), 12);
}

TEST(EncoderRegistry, KnowsWhereAMeanCouldBeSubtracted) {
  v1::EncoderSpec spec;
  v1::PreprocessingSpec kept, subtracted;
  subtracted.set_subtract_mean(true);
  EXPECT_TRUE(CouldSubtractMean(spec, kept)) << "no kind";
  spec.mutable_winner_take_all();
  EXPECT_TRUE(CouldSubtractMean(spec, kept));
  EXPECT_FALSE(CouldSubtractMean(spec, subtracted));
  spec.mutable_rbm();
  EXPECT_FALSE(CouldSubtractMean(spec, kept));
  spec.mutable_stack();
  EXPECT_FALSE(CouldSubtractMean(spec, kept)) << "its rows are codes";
}

TEST(EncoderRegistry, SummarisesASpecLayerByLayer) {
  v1::EncoderSpec spec;
  EXPECT_EQ(EncoderSummary(spec), "");
  spec.mutable_regularised()->set_contraction(0.1f);
  spec.mutable_regularised()->set_activation(v1::ACTIVATION_SIGMOID);
  ASSERT_EQ(ResolveEncoder(&spec), absl::OkStatus());
  EXPECT_EQ(EncoderSummary(spec), "regularised (sigmoid, contraction 0.1, unit length)");
  spec.mutable_regularised()->set_gaussian_noise(0);
  spec.mutable_regularised()->set_unit_length(false);
  EXPECT_EQ(EncoderSummary(spec), "regularised (sigmoid)");
  v1::EncoderSpec dropout;
  dropout.mutable_dropout()->set_visible_dropout(0.2f);
  ASSERT_EQ(ResolveEncoder(&dropout), absl::OkStatus());
  EXPECT_EQ(EncoderSummary(dropout), "dropout (relu, hidden dropout 0.5, visible dropout 0.2)");
  v1::EncoderSpec maps;
  maps.mutable_winner_take_all()->set_filter_size(5);
  maps.mutable_winner_take_all()->set_sparsity(v1::WINNER_SPARSITY_ACROSS_MAPS);
  maps.mutable_winner_take_all()->set_winners(3);
  EXPECT_EQ(EncoderSummary(maps), "winner-take-all (filter size 5, across maps, winners 3)");
  v1::EncoderSpec rbm;
  rbm.mutable_rbm();
  EXPECT_EQ(EncoderSummary(rbm), "rbm");
  v1::EncoderSpec stack;
  stack.mutable_stack()->add_layers()->mutable_k_sparse()->set_k(25);
  *stack.mutable_stack()->add_layers() = spec;
  EXPECT_EQ(EncoderSummary(stack), "k-sparse (k 25) + regularised (sigmoid)");
}

TEST(EncoderRegistry, EveryTraitIsAFieldOfTheSpec) {
  for (const EncoderKind* kind : EncoderKinds()) {
    v1::EncoderSpec spec;
    const google::protobuf::Descriptor* const message = MutableKindSpec(*kind, &spec)->GetDescriptor();
    for (const char* trait : kind->traits) EXPECT_NE(message->FindFieldByName(trait), nullptr) << trait;
  }
}

TEST(EncoderRegistry, NamesStrongSettingsAndNoDefault) {
  for (const EncoderKind* kind : EncoderKinds()) {
    if (kind->of_layers) continue;
    v1::EncoderSpec spec;
    MutableKindSpec(*kind, &spec);
    if (spec.has_winner_take_all()) {
      spec.mutable_winner_take_all()->set_filter_size(1);  // whose initial weights are the largest
      spec.mutable_winner_take_all()->mutable_input()->set_channels(1);
      spec.mutable_winner_take_all()->mutable_input()->set_height(28);
      spec.mutable_winner_take_all()->mutable_input()->set_width(28);
    }
    ASSERT_EQ(ResolveEncoder(&spec), absl::OkStatus()) << kind->name;
    EXPECT_THAT(StrongSettings(spec), IsEmpty()) << kind->name;
    google::protobuf::Message* const message = MutableKindSpec(*kind, &spec);
    for (const StrongSetting& setting : kind->strong_settings) {
      const auto* field = message->GetDescriptor()->FindFieldByName(setting.field);
      ASSERT_NE(field, nullptr) << setting.field;
      message->GetReflection()->SetFloat(message, field, 20);
      EXPECT_THAT(StrongSettings(spec),
                  Contains(absl::StrCat("encoder.", spec.GetDescriptor()->FindFieldByNumber(kind->kind_case)->name(),
                                        ".", setting.field, " from 20")));
    }
  }
}

TEST(EncoderRegistry, SaysWhichPenaltiesChangeNothing) {
  v1::EncoderSpec spec;
  spec.mutable_k_sparse();
  EXPECT_EQ(TrainingAdvice(spec), "");
  v1::RegularisedSpec& regularised = *spec.mutable_regularised();
  regularised.set_contraction(0.1f);
  ASSERT_EQ(ResolveEncoder(&spec), absl::OkStatus());
  EXPECT_THAT(TrainingAdvice(spec), HasSubstr("encoder.regularised.contraction changes nothing: of ReLU units"));
  regularised.set_marginalised_noise(0.1f);
  EXPECT_THAT(TrainingAdvice(spec), HasSubstr("encoder.regularised.marginalised_noise changes nothing"));
  regularised.set_activation(v1::ACTIVATION_SIGMOID);
  EXPECT_EQ(TrainingAdvice(spec), "");
  regularised.set_activation(v1::ACTIVATION_RELU);
  regularised.set_unit_length(false);
  EXPECT_EQ(TrainingAdvice(spec), "");
  regularised.set_unit_length(true);
  regularised.set_marginalised_noise(0);
  EXPECT_EQ(TrainingAdvice(spec), "") << "a plain autoencoder is what was asked for";
}

TEST(ResolveKSparse, FillsInDefaults) {
  v1::EncoderSpec spec;
  spec.mutable_k_sparse();
  ASSERT_TRUE(ResolveEncoder(&spec).ok());
  const v1::KSparseSpec& resolved = spec.k_sparse();
  EXPECT_EQ(resolved.units(), 1000u);
  EXPECT_EQ(resolved.k(), 25u);
  EXPECT_EQ(resolved.k_start(), 100u);
  EXPECT_EQ(resolved.anneal_fraction(), 0.5f);
  EXPECT_EQ(resolved.init_sigma(), 0.01f);
  EXPECT_TRUE(resolved.has_unit_norm_atoms());
  EXPECT_EQ(resolved.encode_alpha(), 1.0f);
  EXPECT_FALSE(resolved.has_auxiliary_weight());
  v1::EncoderSpec auxiliary;
  auxiliary.mutable_k_sparse()->set_auxiliary_k(30);
  ASSERT_TRUE(ResolveEncoder(&auxiliary).ok());
  EXPECT_EQ(auxiliary.k_sparse().auxiliary_weight(), 0.03125f);
  EXPECT_EQ(auxiliary.k_sparse().dead_after_rows(), 10'000u);
  v1::EncoderSpec small;
  small.mutable_k_sparse()->set_units(40);
  ASSERT_TRUE(ResolveEncoder(&small).ok());
  EXPECT_EQ(small.k_sparse().k_start(), 40u);  // 4k would be more than the units
}

TEST(ResolveKSparse, RefusesValuesOutOfRange) {
  const auto message = [](void (*change)(v1::KSparseSpec*)) {
    v1::EncoderSpec spec;
    spec.mutable_k_sparse()->set_units(100);
    spec.mutable_k_sparse()->set_k(30);
    change(spec.mutable_k_sparse());
    const absl::Status status = ResolveEncoder(&spec);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  using Spec = v1::KSparseSpec;
  EXPECT_THAT(message([](Spec* s) { s->set_units(0); }), HasSubstr("encoder.k_sparse.units is 0; expected 1 .. "));
  EXPECT_THAT(message([](Spec* s) { s->set_units(1048577); }), HasSubstr("units is 1048577; expected 1 .. 1048576"));
  EXPECT_THAT(message([](Spec* s) { s->set_k(0); }), HasSubstr("encoder.k_sparse.k is 0; expected 1 .. 100"));
  EXPECT_THAT(message([](Spec* s) { s->set_k(101); }), HasSubstr("encoder.k_sparse.k is 101; expected 1 .. 100"));
  EXPECT_THAT(message([](Spec* s) { s->set_k_start(29); }), HasSubstr("k_start is 29; expected 30 .. 100"));
  EXPECT_THAT(message([](Spec* s) { s->set_k_start(101); }), HasSubstr("k_start is 101; expected 30 .. 100"));
  EXPECT_THAT(message([](Spec* s) { s->set_anneal_fraction(1.5f); }), HasSubstr("anneal_fraction is 1.5"));
  EXPECT_THAT(message([](Spec* s) { s->set_anneal_fraction(std::nanf("")); }), HasSubstr("anneal_fraction is nan"));
  EXPECT_THAT(message([](Spec* s) { s->set_init_sigma(0); }), HasSubstr("init_sigma is 0"));
  EXPECT_THAT(message([](Spec* s) { s->set_init_sigma(INFINITY); }), HasSubstr("init_sigma is inf"));
  EXPECT_THAT(message([](Spec* s) { s->set_auxiliary_k(101); }), HasSubstr("auxiliary_k is 101; expected 0 .. 100"));
  EXPECT_THAT(message([](Spec* s) { s->set_auxiliary_weight(0); }), HasSubstr("auxiliary_weight is 0; expected a "));
  EXPECT_THAT(message([](Spec* s) { s->set_dead_after_rows(0); }), HasSubstr("dead_after_rows is 0; expected at "));
  EXPECT_THAT(message([](Spec* s) { s->set_encode_alpha(0.5f); }), HasSubstr("encode_alpha is 0.5"));
  EXPECT_THAT(message([](Spec* s) { s->set_encode_alpha(4); }), HasSubstr("so that alpha * k <= 100"));
}

}  // namespace
}  // namespace kwta::encoder_registry_test
