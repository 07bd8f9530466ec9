// TiedAuxiliaryStep of every backend.
#include <algorithm>
#include <cmath>
#include <cstddef>

#include "tests/core/backends/tied_problems.h"

namespace kwta::tied_auxiliary_conformance_test {
namespace {

class TiedAuxiliaryStepConformance : public Conformance {};

// A step of the units that have been idle for `dead_after` rows, of which k are kept. Returns the squared error.
double RunAuxiliaryStep(TiedState& state, const std::vector<float>& x, const std::vector<float>& residual,
                        int64_t dead_after, float rate, int64_t k = 2) {
  Floats x_array(state.backend, x), residual_array(state.backend, residual);
  Doubles squared_error(state.backend, std::vector<double>{-1});
  EXPECT_EQ(state.backend.TiedAuxiliaryStep({state.dictionary.get(), x_array.data(), residual_array.data(),
                                             static_cast<int64_t>(x.size()) / state.parameters.width,
                                             state.idle_rows.data(), dead_after, k, 0.5f, rate, squared_error.data()}),
            absl::OkStatus());
  return squared_error.Read()[0];
}

// Those units of a batch that are in no code of it.
std::vector<int32_t> IdleUnits(const StepResult& result) {
  std::vector<int32_t> idle;
  for (size_t unit = 0; unit < result.active_rows.size(); ++unit) {
    if (result.active_rows[unit] == 0) idle.push_back(static_cast<int32_t>(unit));
  }
  return idle;
}

TEST_P(TiedAuxiliaryStepConformance, AnAuxiliaryStepIsTheReferencesOnAllShapes) {
  for (const bool unit_norm : {false, true}) {
    for (const TiedShape& s : kTiedShapes) {
      SCOPED_TRACE(testing::Message() << s.rows << " rows, k " << s.k << ", " << s.units << " units, width " << s.width
                                      << (unit_norm ? ", unit norm" : ""));
      const std::vector<float> x = SparseRows(s.rows, s.width, 5);
      TiedState actual(*backend_, s.units, s.width, unit_norm), expected(*reference_, s.units, s.width, unit_norm);
      for (TiedState* state : {&actual, &expected}) {
        // A quarter of the units are in no code.
        std::vector<float> bias(s.units);
        for (int64_t unit = 0; unit < s.units / 4; ++unit) bias[4 * unit + 1] = -1000;
        state->bias.Write(bias);
        state->atom_velocity.Write(Gaussians(s.units * s.width, 8, 0.01));
        state->Refresh();
        std::vector<float> residual;
        const std::vector<int32_t> idle = IdleUnits(RunStep(*state, x, s.k, 1e-3f, 0.9f, &residual));
        if (idle.empty()) continue;
        const double error = RunAuxiliaryStep(*state, x, residual, s.rows, 1e-6f);
        EXPECT_GT(error, 0);
      }
      ExpectClose(actual.UpToDate(), expected.UpToDate(), 2e-4, 1e-4);
      ExpectClose(actual.bias.Read(), expected.bias.Read(), 2e-5, 1e-5);
      ExpectClose(actual.bias_velocity.Read(), expected.bias_velocity.Read(), 2e-4, 1e-4);
      // The next step's codes are of the atoms as they are now.
      const Codes codes = ExpectedCodes(*reference_, actual, x, s.k);
      EXPECT_EQ(RunStep(actual, x, s.k).codes.indices, codes.indices);
    }
  }
}

TEST_P(TiedAuxiliaryStepConformance, AnAuxiliaryStepUpdatesNothingWhenItsErrorIsNotFinite) {
  TiedState state(*backend_, 6, 8);
  state.bias.Write({0, 0, 0, -1e30f, -1e30f, -1e30f});
  state.Refresh();
  const std::vector<float> x = SparseRows(4, 8, 1);
  std::vector<float> residual;
  const std::vector<int32_t> idle = IdleUnits(RunStep(state, x, 2, 0.01f, 0.9f, &residual));
  ASSERT_GE(idle.size(), 3u);
  std::vector<float> atoms(48, 3e38f);
  state.atoms.Write(atoms);
  state.Refresh();
  const std::vector<float> before = state.Stored();
  EXPECT_FALSE(std::isfinite(RunAuxiliaryStep(state, x, residual, 4, 1)));
  EXPECT_EQ(Bits(state.Stored()), Bits(before));
}

TEST_P(TiedAuxiliaryStepConformance, IdleRowsAreCountedSinceTheUnitWasInACode) {
  // The biases rule which unit wins.
  TiedState state(*backend_, 3, 4);
  std::vector<float> residual;
  state.bias.Write({1000, 0, -1000});
  state.Refresh();
  RunStep(state, SparseRows(5, 4, 1), 1, 0, 0, &residual);
  EXPECT_EQ(state.idle_rows.Read(), (std::vector<int64_t>{0, 5, 5}));
  RunStep(state, SparseRows(2, 4, 2), 2, 0, 0, &residual);
  EXPECT_EQ(state.idle_rows.Read(), (std::vector<int64_t>{0, 0, 7}));
  RunStep(state, SparseRows(3, 4, 3), 1, 0, 0);
  EXPECT_EQ(state.idle_rows.Read(), (std::vector<int64_t>{0, 0, 7}));  // not asked for
  state.atoms.Write(std::vector<float>(12, 3e38f));
  state.Refresh();
  EXPECT_FALSE(std::isfinite(RunStep(state, SparseRows(3, 4, 3), 1, 0, 0, &residual).squared_error));
  EXPECT_EQ(state.idle_rows.Read(), (std::vector<int64_t>{0, 0, 7}));
}

TEST_P(TiedAuxiliaryStepConformance, OnlyUnitsThatHaveBeenIdleLongEnoughAreChanged) {
  TiedState state(*backend_, 8, 6);
  state.bias.Write({0, 0, 0, 0, -1000, -1000, -1000, -1000});
  state.Refresh();
  const std::vector<float> x = SparseRows(9, 6, 3);
  std::vector<float> residual;
  RunStep(state, x, 4, 1e-3f, 0, &residual);
  state.idle_rows.Write({0, 0, 0, 0, 99, 100, 101, 7});
  const std::vector<float> before = state.UpToDateAtoms();
  // Two units are dead, fewer than may be kept.
  EXPECT_GT(RunAuxiliaryStep(state, x, residual, 100, 1e-6f, 5), 0);
  const std::vector<float> after = state.UpToDateAtoms();
  for (int64_t unit = 0; unit < 8; ++unit) {
    const auto begin = static_cast<ptrdiff_t>(6 * unit);
    const bool same = std::equal(after.begin() + begin, after.begin() + begin + 6, before.begin() + begin);
    EXPECT_EQ(same, unit != 5 && unit != 6) << unit;
  }
}

TEST_P(TiedAuxiliaryStepConformance, TheLastUnitIsFoundDeadWhereABlockOfThreadsHasOneUnitTooMany) {
  constexpr int64_t kUnits = 257, kWidth = 6;
  std::vector<float> after[2];
  for (Backend* const backend : {backend_.get(), reference_.get()}) {
    TiedState state(*backend, kUnits, kWidth);
    const std::vector<float> x = SparseRows(9, kWidth, 3);
    std::vector<float> residual;
    RunStep(state, x, 4, 1e-3f, 0, &residual);
    std::vector<int64_t> idle_rows(kUnits, 7);
    idle_rows.back() = 100;
    state.idle_rows.Write(idle_rows);
    const std::vector<float> before = state.UpToDateAtoms();
    EXPECT_GT(RunAuxiliaryStep(state, x, residual, 100, 1e-3f, 5), 0);
    std::vector<float>& atoms = after[backend == reference_.get()];
    atoms = state.UpToDateAtoms();
    EXPECT_TRUE(std::equal(before.begin(), before.end() - kWidth, atoms.begin()));
    EXPECT_FALSE(std::equal(before.end() - kWidth, before.end(), atoms.end() - kWidth));
  }
  ExpectClose(after[0], after[1], 2e-4, 1e-4);
}

TEST_P(TiedAuxiliaryStepConformance, NothingHappensWhereNoUnitIsDead) {
  TiedState state(*backend_, 8, 6);
  const std::vector<float> x = SparseRows(9, 6, 3);
  std::vector<float> residual;
  RunStep(state, x, 2, 1e-3f, 0.9f, &residual);
  const std::vector<float> before = state.Stored();
  EXPECT_EQ(RunAuxiliaryStep(state, x, residual, 1000, 1), 0);
  EXPECT_EQ(Bits(state.Stored()), Bits(before));
  const Codes codes = ExpectedCodes(*reference_, state, x, 2);
  EXPECT_EQ(RunStep(state, x, 2).codes.indices, codes.indices);
}

INSTANTIATE_TEST_SUITE_P(Backends, TiedAuxiliaryStepConformance, testing::ValuesIn(AllBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::tied_auxiliary_conformance_test
