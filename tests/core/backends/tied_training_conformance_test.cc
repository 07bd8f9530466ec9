// TiedStep and TiedAtoms of every backend.
#include <algorithm>
#include <cmath>

#include "tests/core/backends/tied_problems.h"

namespace kwta::tied_training_conformance_test {
namespace {

class TiedStepConformance : public Conformance {
 protected:
  // Takes `steps` steps, or fewer on an emulated device, and expects every code to be that of the atoms as they are
  // then, bit for bit.
  void ExpectExactCodes(TiedState& state, int64_t k, int64_t steps, float rate, float momentum,
                        const std::function<std::vector<float>(int64_t step)>& batch) {
    if (emulated()) steps = (steps + 9) / 10 + 5;
    for (int64_t step = 0; step < steps; ++step) {
      const std::vector<float> x = batch(step);
      const Codes expected = ExpectedCodes(*reference_, state, x, k);
      const StepResult result = RunStep(state, x, k, rate, momentum);
      ASSERT_TRUE(std::isfinite(result.squared_error)) << "step " << step;
      ASSERT_EQ(result.codes.indices, expected.indices) << "step " << step;
      ASSERT_EQ(Bits(result.codes.values), Bits(expected.values)) << "step " << step;
      std::vector<int32_t> active_rows(state.parameters.units);
      for (const int32_t unit : result.codes.indices) ++active_rows[unit];
      ASSERT_EQ(result.active_rows, active_rows) << "step " << step;
    }
  }
};

TEST_P(TiedStepConformance, OneStepIsTheReferencesOnAllShapes) {
  for (const bool sparse : {false, true}) {
    for (const TiedShape& s : kTiedShapes) {
      SCOPED_TRACE(testing::Message() << s.rows << " rows, k " << s.k << ", " << s.units << " units, width " << s.width
                                      << (sparse ? ", sparse" : ", dense"));
      const std::vector<float> x = sparse ? SparseRows(s.rows, s.width, 5) : Gaussians(s.rows * s.width, 5);
      TiedState actual(*backend_, s.units, s.width), expected(*reference_, s.units, s.width);
      for (TiedState* state : {&actual, &expected}) {
        state->bias.Write(Gaussians(s.units, 6, 0.1));
        state->decoder_bias.Write(Gaussians(s.width, 7, 0.1));
        state->atom_velocity.Write(Gaussians(s.units * s.width, 8, 0.01));
        state->bias_velocity.Write(Gaussians(s.units, 9, 0.01));
        state->decoder_velocity.Write(Gaussians(s.width, 10, 0.01));
        state->Refresh();
      }
      const StepResult result = RunStep(actual, x, s.k), wanted = RunStep(expected, x, s.k);
      EXPECT_EQ(result.codes.indices, wanted.codes.indices);
      EXPECT_EQ(Bits(result.codes.values), Bits(wanted.codes.values));
      EXPECT_EQ(result.active_rows, wanted.active_rows);
      EXPECT_NEAR(result.squared_error, wanted.squared_error, 1e-5 * wanted.squared_error);
      ExpectClose(actual.UpToDate(), expected.UpToDate(), 2e-5, 1e-5);
      ExpectClose(actual.bias.Read(), expected.bias.Read(), 2e-5, 1e-5);
      ExpectClose(actual.bias_velocity.Read(), expected.bias_velocity.Read(), 2e-5, 1e-5);
      ExpectClose(actual.decoder_bias.Read(), expected.decoder_bias.Read(), 2e-5, 1e-5);
      ExpectClose(actual.decoder_velocity.Read(), expected.decoder_velocity.Read(), 2e-5, 1e-5);
    }
  }
}

TEST_P(TiedStepConformance, CodesOfEveryStepAreExactOnSparseRows) {
  TiedState state(*backend_, 150, 96, false, 0.02);
  ExpectExactCodes(state, 6, 250, 0.02f, 0.9f, [](int64_t step) { return SparseRows(12, 96, 100 + step); });
}

TEST_P(TiedStepConformance, CodesOfEveryStepAreExactOnRowsLessTheirMean) {
  const std::vector<float> mean = MeanOfSparseRows(97);
  TiedState state(*backend_, 150, 97, false, 0.02, mean);
  ExpectExactCodes(state, 6, 250, 0.02f, 0.9f,
                   [&](int64_t step) { return Less(SparseRows(12, 97, 100 + step), mean); });
}

TEST_P(TiedStepConformance, CodesAreExactWhateverTheOffset) {
  // An offset that is far longer than the rows, for some of which it is not their mean.
  std::vector<float> offset = Gaussians(80, 12);
  for (float& value : offset) value = std::abs(value) * 1000;
  TiedState state(*backend_, 320, 80, false, 0.2, offset);
  state.atom_velocity.Write(Gaussians(320 * 80, 3, 0.2));
  std::vector<float> shift(320), decay(320, 1.0f);
  for (int64_t unit = 0; unit < 320; unit += 2) {
    shift[unit] = 0.9f + 0.02f * static_cast<float>(unit);
    decay[unit] = 0.3f;
  }
  state.shift.Write(shift);
  state.decay.Write(decay);
  state.Refresh();
  ExpectExactCodes(state, 9, 12, 1e-9f, 0.9f, [&](int64_t step) {
    if (step % 3 == 0) return Gaussians(10 * 80, 100 + step);
    return step % 3 == 1 ? SparseRows(10, 80, 100 + step) : Less(SparseRows(10, 80, 100 + step), offset);
  });
}

TEST_P(TiedStepConformance, CodesOfEveryStepAreExactOnDenseRows) {
  TiedState state(*backend_, 90, 50, false, 0.05);
  ExpectExactCodes(state, 5, 270, 0.01f, 0.9f, [](int64_t step) { return Gaussians(8 * 50, 100 + step); });
}

TEST_P(TiedStepConformance, CodesAreExactForAtomsOfAnyLengthOnDenseRows) {
  for (const double length : {0x1p-70, 0x1p-20, 0x1p50, 0x1p62}) {
    SCOPED_TRACE(length);
    // Rows and rates such that neither products nor steps are out of range.
    const bool is_long = length > 1;
    TiedState state(*backend_, 90, 50, false, length);
    ExpectExactCodes(state, 5, 6, is_long ? 1e-37f : 1e-9f, 0.9f,
                     [&](int64_t step) { return Gaussians(8 * 50, 100 + step, is_long ? 0x1p-80 : 0.1); });
  }
}

TEST_P(TiedStepConformance, CodesOfEveryStepAreExactOnDenseRowsForAtomsOfUnitLength) {
  TiedState state(*backend_, 90, 50, true);
  ExpectExactCodes(state, 5, 40, 0.01f, 0.9f, [](int64_t step) { return Gaussians(8 * 50, 100 + step); });
}

TEST_P(TiedStepConformance, CodesOfEveryStepAreExactWhenKindsOfBatchesAndTheirSizesChange) {
  TiedState state(*backend_, 140, 64, false, 0.02);
  ExpectExactCodes(state, 7, 60, 1e-5f, 0.9f, [](int64_t step) {
    const int64_t rows = 1 + step * 5 % 23;
    if (step % 3 == 1) return Gaussians(rows * 64, 100 + step, 0.3);
    std::vector<float> x = SparseRows(rows, 64, 100 + step);
    // Steps of no byte, a row of zeros, and numbers far above 1.
    if (step % 3 == 2) {
      for (float& value : x) value *= 37.7f;
    }
    std::fill_n(x.begin(), 64, 0.0f);
    return x;
  });
}

TEST_P(TiedStepConformance, CodesOfEveryStepAreExactForAtomsThatAreAlike) {
  // Atoms that differ by about the error of an 8-bit copy, so that its order is not theirs; by a few units of the last
  // place; and, in pairs, not at all.
  for (const double difference : {1e-3, 1e-7}) {
    TiedState state(*backend_, 320, 80);
    const std::vector<float> common = Gaussians(80, 1, 0.2), own = Gaussians(160 * 80, 2, difference);
    std::vector<float> atoms(320 * 80);
    for (int64_t unit = 0; unit < 320; ++unit) {
      for (int64_t d = 0; d < 80; ++d) atoms[unit * 80 + d] = common[d] + own[unit / 2 * 80 + d];
    }
    state.atoms.Write(atoms);
    state.Refresh();
    ExpectExactCodes(state, 9, 15, 1e-6f, 0.5f, [](int64_t step) { return SparseRows(10, 80, 100 + step); });
  }
}

TEST_P(TiedStepConformance, CodesOfEveryStepAreExactForAtomsOfManyLengths) {
  // The errors of their bytes differ a thousandfold, so that those of a few units say nothing about another's.
  TiedState state(*backend_, 320, 80);
  std::vector<float> atoms = Gaussians(320 * 80, 2, 0.2);
  for (int64_t unit = 0; unit < 320; ++unit) {
    for (int64_t d = 0; d < 80; ++d) atoms[unit * 80 + d] *= std::ldexp(1.0f, static_cast<int>(-(unit * 7 % 11)));
  }
  state.atoms.Write(atoms);
  std::vector<float> bias(320);
  for (int64_t unit = 0; unit < 320; ++unit) bias[unit] = static_cast<float>(unit * 7 % 11) / 20;
  state.bias.Write(bias);
  state.Refresh();
  ExpectExactCodes(state, 9, 20, 1e-4f, 0.9f, [](int64_t step) { return SparseRows(10, 80, 100 + step); });
}

TEST_P(TiedStepConformance, CodesAreExactForAtomsThatWerePutOff) {
  TiedState state(*backend_, 320, 80, false, 0.2);
  state.atom_velocity.Write(Gaussians(320 * 80, 3, 0.2));
  std::vector<float> shift(320), decay(320, 1.0f);
  for (int64_t unit = 0; unit < 320; unit += 2) {
    shift[unit] = 0.9f + 0.02f * static_cast<float>(unit);
    decay[unit] = 0.3f;
  }
  state.shift.Write(shift);
  state.decay.Write(decay);
  state.Refresh();
  ExpectExactCodes(state, 9, 10, 1e-5f, 0.9f, [](int64_t step) { return SparseRows(10, 80, 100 + step); });
}

TEST_P(TiedStepConformance, ManyStepsFollowTheReference) {
  TiedState actual(*backend_, 60, 40), expected(*reference_, 60, 40);
  for (int64_t step = 0; step < 30; ++step) {
    const std::vector<float> x = SparseRows(10, 40, 100 + step);
    const double error = RunStep(actual, x, 4).squared_error;
    const double wanted = RunStep(expected, x, 4).squared_error;
    ASSERT_NEAR(error, wanted, 1e-4 * wanted) << "step " << step;
  }
  ExpectClose(actual.UpToDate(), expected.UpToDate(), 1e-4, 1e-3);
}

TEST_P(TiedStepConformance, TheSameBitsOnAnyNumberOfThreads) {
  const std::shared_ptr<Backend> alone = MakeBackend(GetParam().name, 1);
  TiedState actual(*backend_, 300, 70, false, 0.02), expected(*alone, 300, 70, false, 0.02);
  for (int64_t step = 0; step < 12; ++step) {
    const std::vector<float> x = step % 4 == 3 ? Gaussians(40 * 70, step, 0.3) : SparseRows(40, 70, step);
    const StepResult result = RunStep(actual, x, 6), wanted = RunStep(expected, x, 6);
    ASSERT_EQ(result.squared_error, wanted.squared_error);
    ASSERT_EQ(Bits(actual.Stored()), Bits(expected.Stored())) << "step " << step;
  }
}

TEST_P(TiedStepConformance, GoesOnFromStoredNumbersAsIfNothingHadHappened) {
  TiedState whole(*backend_, 100, 48, false, 0.02), resumed(*backend_, 100, 48);
  const auto batch = [](int64_t step) { return SparseRows(5, 48, step); };
  for (int64_t step = 0; step < 20; ++step) RunStep(whole, batch(step), 3);
  resumed.atoms.Write(whole.atoms.Read());
  resumed.bias.Write(whole.bias.Read());
  resumed.decoder_bias.Write(whole.decoder_bias.Read());
  resumed.atom_velocity.Write(whole.atom_velocity.Read());
  resumed.bias_velocity.Write(whole.bias_velocity.Read());
  resumed.decoder_velocity.Write(whole.decoder_velocity.Read());
  resumed.shift.Write(whole.shift.Read());
  resumed.decay.Write(whole.decay.Read());
  resumed.Refresh();
  for (int64_t step = 20; step < 40; ++step) {
    RunStep(whole, batch(step), 3);
    RunStep(resumed, batch(step), 3);
    ASSERT_EQ(Bits(resumed.Stored()), Bits(whole.Stored())) << "step " << step;
  }
}

TEST_P(TiedStepConformance, IdleAtomsDriftAlongTheirVelocity) {
  // The second unit's bias keeps it out of every code.
  TiedState state(*backend_, 2, 3);
  state.atoms.Write({1, 0, 0, 0, 1, 0});
  state.bias.Write({0, -100});
  state.atom_velocity.Write({0, 0, 0, 1, 0, -2});
  state.Refresh();
  for (int64_t step = 0; step < 3; ++step) RunStep(state, {1, 1, 1}, 1, 0, 0.5f);
  const std::vector<float> all = state.UpToDate();
  // 1/2 + 1/4 + 1/8 of the velocity, of which an eighth is left.
  const std::vector<float> atoms(all.begin() + 3, all.begin() + 6), velocity(all.begin() + 9, all.end());
  EXPECT_EQ(atoms, (std::vector<float>{0.875f, 1, -1.75f}));
  EXPECT_EQ(velocity, (std::vector<float>{0.125f, 0, -0.25f}));
  EXPECT_EQ(state.UpToDateAtoms(), std::vector<float>(all.begin(), all.begin() + 6));
}

TEST_P(TiedStepConformance, TakesAtomsThatWerePutOffElsewhere) {
  TiedState put_off(*backend_, 3, 2), plain(*backend_, 3, 2);
  put_off.atoms.Write({1, 2, 3, 4, 5, 6});
  put_off.atom_velocity.Write({4, 8, 0, 0, 2, 2});
  put_off.shift.Write({0.5f, 0, 0.75f});
  put_off.decay.Write({0.25f, 1, 0.5f});
  put_off.Refresh();
  plain.atoms.Write({3, 6, 3, 4, 6.5f, 7.5f});
  plain.atom_velocity.Write({1, 2, 0, 0, 1, 1});
  plain.Refresh();
  EXPECT_EQ(put_off.UpToDate(), plain.UpToDate());
  const std::vector<float> before = put_off.Stored();
  put_off.UpToDate();
  EXPECT_EQ(put_off.Stored(), before);
  const StepResult result = RunStep(put_off, {1, 0.5f}, 2, 1e-3f), expected = RunStep(plain, {1, 0.5f}, 2, 1e-3f);
  EXPECT_EQ(result.codes.values, expected.codes.values);
  ExpectClose(put_off.UpToDate(), plain.UpToDate(), 1e-6, 1e-6);
}

TEST_P(TiedStepConformance, KeepsAtomsAtUnitLength) {
  TiedState state(*backend_, 40, 30, true);
  for (int64_t step = 0; step < 6; ++step) {
    RunStep(state, SparseRows(7, 30, step), 3, 0.05f);
    const std::vector<float> atoms = state.UpToDateAtoms();
    for (int64_t unit = 0; unit < 40; ++unit) {
      double squared = 0;
      for (int64_t d = 0; d < 30; ++d) squared += double{atoms[unit * 30 + d]} * atoms[unit * 30 + d];
      ASSERT_NEAR(squared, 1, 1e-5) << unit;
    }
  }
}

TEST_P(TiedStepConformance, UpdatesNothingWhenTheErrorIsNotFinite) {
  for (const float large : {1e30f, 3e38f}) {
    TiedState state(*backend_, 20, 10);
    state.atoms.Write(std::vector<float>(200, large));
    state.Refresh();
    const std::vector<float> before = state.Stored();
    const StepResult result = RunStep(state, SparseRows(4, 10, 1), 3);
    EXPECT_FALSE(std::isfinite(result.squared_error));
    EXPECT_EQ(result.active_rows, std::vector<int32_t>(20));
    EXPECT_EQ(Bits(state.Stored()), Bits(before));
  }
}

TEST_P(TiedStepConformance, GivesTheResidual) {
  for (const TiedShape& s : kTiedShapes) {
    SCOPED_TRACE(testing::Message() << s.rows << " rows, k " << s.k << ", width " << s.width);
    TiedState state(*backend_, s.units, s.width);
    state.decoder_bias.Write(Gaussians(s.width, 7, 0.1));
    state.Refresh();
    const std::vector<float> atoms = state.UpToDateAtoms(), decoder_bias = state.decoder_bias.Read();
    const std::vector<float> x = SparseRows(s.rows, s.width, 5);
    std::vector<float> residual;
    const StepResult result = RunStep(state, x, s.k, 0.01f, 0.9f, &residual);
    std::vector<float> expected(x.size());
    for (int64_t i = 0; i < s.rows; ++i) {
      for (int64_t d = 0; d < s.width; ++d) {
        double sum = double{decoder_bias[d]} - x[i * s.width + d];
        for (int64_t j = i * s.k; j < (i + 1) * s.k; ++j) {
          sum += double{result.codes.values[j]} * atoms[result.codes.indices[j] * s.width + d];
        }
        expected[i * s.width + d] = static_cast<float>(sum);
      }
    }
    ExpectClose(residual, expected, 2e-5, 1e-5);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, TiedStepConformance, testing::ValuesIn(AllBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::tied_training_conformance_test
