#include <gtest/gtest.h>

#include "core/encoders/rbm.h"
#include "tests/core/encoders/expect_invalid.h"

namespace kwta::rbm_test {
namespace {

void Refuses(void (*set)(v1::RbmSpec*), const std::string& message) {
  ExpectInvalid<v1::RbmSpec>(ResolveRbm, set, "encoder.rbm." + message);
}

TEST(RbmSpec, HasDefaults) {
  v1::RbmSpec spec;
  ASSERT_EQ(ResolveRbm(&spec), absl::OkStatus());
  EXPECT_EQ(spec.units(), 1000u);
  EXPECT_EQ(spec.gibbs_steps(), 1u);
  EXPECT_FALSE(spec.persistent());
  EXPECT_FALSE(spec.has_chains());
  EXPECT_TRUE(spec.sample_visible());
  EXPECT_EQ(spec.weight_decay(), 0.0002f);
  EXPECT_EQ(spec.init_sigma(), 0.01f);
  spec.set_persistent(true);
  ASSERT_EQ(ResolveRbm(&spec), absl::OkStatus());
  EXPECT_EQ(spec.chains(), 100u);
}

TEST(RbmSpec, RefusesWhatIsOutOfRange) {
  using Spec = v1::RbmSpec;
  Refuses([](Spec* spec) { spec->set_units(0); }, "units is 0; expected 1 .. 1048576");
  Refuses([](Spec* spec) { spec->set_gibbs_steps(0); },
          "gibbs_steps is 0; expected 1 .. 1000: contrastive divergence takes at least one step");
  Refuses([](Spec* spec) { spec->set_gibbs_steps(1001); }, "gibbs_steps is 1001");
  Refuses([](Spec* spec) { spec->set_chains(10); }, "chains is 10; expected no value: without persistent");
  Refuses(
      [](Spec* spec) {
        spec->set_persistent(true);
        spec->set_chains(0);
      },
      "chains is 0; expected 1 .. 65536");
  Refuses(
      [](Spec* spec) {
        spec->set_units(1'000'000);
        spec->set_persistent(true);
        spec->set_chains(2148);
      },
      "chains is 2148; expected 1 .. 2147 with 1000000 units");
  Refuses([](Spec* spec) { spec->set_weight_decay(-1); }, "weight_decay is -1; expected a finite number");
  Refuses([](Spec* spec) { spec->set_init_sigma(0); }, "init_sigma is 0; expected a finite number above 0");
}

}  // namespace
}  // namespace kwta::rbm_test
