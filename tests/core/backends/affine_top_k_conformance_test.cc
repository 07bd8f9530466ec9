// AffineTopK of every backend: the same units and the same bits as the reference, on ordinary and hostile inputs.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/simd/fixed_order_dot.h"
#include "gmock/gmock.h"
#include "tests/core/backends/conformance.h"

namespace kwta::affine_top_k_conformance_test {
namespace {

using testing::ElementsAre;

struct Problem {
  int64_t rows, width, units, k;
  std::vector<float> x, atoms, bias;
};

Problem RandomProblem(int64_t rows, int64_t width, int64_t units, int64_t k, uint64_t seed = 1) {
  return {rows,
          width,
          units,
          k,
          Gaussians(rows * width, seed),
          Gaussians(units * width, seed + 1, 0.1),
          Gaussians(units, seed + 2, 0.1)};
}

Codes Encode(Backend& backend, const Problem& problem) {
  Floats x(backend, problem.x), atoms(backend, problem.atoms), bias(backend, problem.bias);
  Ints indices(backend, problem.rows * problem.k);
  Floats values(backend, problem.rows * problem.k);
  auto dictionary = backend.PrepareDictionary(atoms.data(), bias.data(), problem.units, problem.width);
  EXPECT_TRUE(dictionary.ok()) << dictionary.status();
  if (!dictionary.ok()) return {};
  EXPECT_EQ(backend.AffineTopK({dictionary->get(), x.data(), problem.rows, problem.k, indices.data(), values.data()}),
            absl::OkStatus());
  return {indices.Read(), values.Read()};
}

class AffineTopKConformance : public Conformance {
 protected:
  void ExpectSameBits(const Problem& problem) {
    const Codes actual = Encode(*backend_, problem);
    const Codes expected = Encode(*reference_, problem);
    EXPECT_EQ(actual.indices, expected.indices);
    EXPECT_EQ(Bits(actual.values), Bits(expected.values));
  }
};

TEST_P(AffineTopKConformance, ShapesOfAllKinds) {
  struct Shape {
    int64_t rows, width, units, k;
  };
  for (const Shape& s : std::vector<Shape>{{1, 1, 1, 1},
                                           {0, 3, 4, 2},
                                           {2, 1, 1, 1},
                                           {3, 2, 5, 5},
                                           {1, 63, 64, 1},
                                           {5, 65, 67, 7},
                                           {7, 127, 131, 131},
                                           {13, 784, 97, 25},
                                           {100, 97, 1000, 25},
                                           {129, 31, 513, 75},
                                           {257, 64, 100, 99},
                                           {600, 17, 33, 3},
                                           {2, 3, 40000, 11}}) {
    SCOPED_TRACE(testing::Message() << s.rows << " rows, width " << s.width << ", " << s.units << " units, k " << s.k);
    ExpectSameBits(RandomProblem(s.rows, s.width, s.units, s.k));
  }
}

TEST_P(AffineTopKConformance, MoreUnitsThanTheScoresOfABlockOfRowsHaveRoomFor) {
  ExpectSameBits(RandomProblem(70, 2, 65536, 5));
}

TEST_P(AffineTopKConformance, TiesGoToTheLowestUnit) {
  // Two atoms, each many times over.
  Problem problem = RandomProblem(9, 50, 60, 7);
  for (int64_t unit = 2; unit < problem.units; ++unit) {
    std::copy_n(problem.atoms.begin() + unit % 2 * problem.width, problem.width,
                problem.atoms.begin() + unit * problem.width);
    problem.bias[unit] = problem.bias[unit % 2];
  }
  ExpectSameBits(problem);
  const Codes codes = Encode(*backend_, problem);
  for (int64_t i = 0; i < problem.rows; ++i) {
    // The seven lowest units of the better atom.
    for (int64_t j = 0; j < problem.k; ++j) {
      EXPECT_EQ(codes.indices[i * problem.k + j], codes.indices[i * problem.k] % 2 + 2 * j);
    }
  }
}

TEST_P(AffineTopKConformance, RowsOfZerosAndAtomsOfZeros) {
  Problem problem = RandomProblem(6, 30, 50, 4);
  std::fill_n(problem.x.begin() + 2 * problem.width, problem.width, 0.0f);
  std::fill_n(problem.atoms.begin() + 7 * problem.width, 3 * problem.width, 0.0f);
  ExpectSameBits(problem);
  std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
  problem.bias[3] = -0.0f;
  ExpectSameBits(problem);
  std::fill(problem.x.begin(), problem.x.end(), 0.0f);
  ExpectSameBits(problem);
  problem.rows = 1;
  problem.k = 3;
  EXPECT_THAT(Encode(*backend_, problem).indices, ElementsAre(0, 1, 2));
}

TEST_P(AffineTopKConformance, ScoresOneUnitInTheLastPlaceApart) {
  // All atoms are the same but for one bit of one weight, up or down: far closer than a matrix product's rounding.
  Problem problem = RandomProblem(33, 784, 300, 20);
  Rng rng(5);
  for (int64_t unit = 1; unit < problem.units; ++unit) {
    std::copy_n(problem.atoms.begin(), problem.width, problem.atoms.begin() + unit * problem.width);
    float& weight = problem.atoms[unit * problem.width + rng.UniformBelow(problem.width)];
    weight = std::nextafter(weight, rng.UniformBelow(2) ? 10.0f : -10.0f);
    problem.bias[unit] = problem.bias[0];
  }
  ExpectSameBits(problem);
}

TEST_P(AffineTopKConformance, AtomsOfVeryDifferentLengths) {
  Problem problem = RandomProblem(20, 100, 200, 10);
  for (int64_t unit = 0; unit < problem.units; ++unit) {
    const float scale = std::ldexp(1.0f, static_cast<int>(unit % 41) - 20);
    for (int64_t d = 0; d < problem.width; ++d) problem.atoms[unit * problem.width + d] *= scale;
  }
  ExpectSameBits(problem);
  for (int64_t unit = 0; unit < problem.units; ++unit) problem.bias[unit] *= std::ldexp(1.0f, unit % 37);
  ExpectSameBits(problem);
}

TEST_P(AffineTopKConformance, SubnormalNumbers) {
  for (float scale : {0x1p-126f, 0x1p-140f, 0x1p-149f}) {
    Problem problem = RandomProblem(11, 70, 90, 8);
    for (float& value : problem.atoms) value *= 10 * scale;
    std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
    ExpectSameBits(problem);
    for (float& value : problem.x) value *= 0x1p-70f;
    for (float& value : problem.atoms) value = value / scale * 0x1p-70f;
    ExpectSameBits(problem);
  }
}

TEST_P(AffineTopKConformance, HugeNumbersWhoseScoresOverflow) {
  for (float scale : {1e15f, 1e18f, 1e19f, 1e20f, 1e30f}) {
    for (int64_t rows : {1, 9}) {
      Problem problem = RandomProblem(rows, 130, 40, 6);
      for (float& value : problem.atoms) value *= scale;
      for (float& value : problem.x) value *= scale;
      const Codes actual = Encode(*backend_, problem);
      const Codes expected = Encode(*reference_, problem);
      EXPECT_EQ(actual.indices, expected.indices) << scale;
      for (size_t i = 0; i < expected.values.size(); ++i) {
        if (std::isnan(expected.values[i])) {
          EXPECT_TRUE(std::isnan(actual.values[i]));
        } else {
          EXPECT_EQ(actual.values[i], expected.values[i]);
        }
      }
    }
  }
}

TEST_P(AffineTopKConformance, NaNGoesAfterEveryNumberAndInfinityBefore) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (int64_t rows : {1, 3}) {
    Problem problem{rows, 1, 5, 3, std::vector<float>(rows, 1.0f), {nan, 1, -infinity, infinity, 2}, {0, 0, 0, 0, 0}};
    Codes codes = Encode(*backend_, problem);
    codes.indices.resize(3);
    EXPECT_THAT(codes.indices, ElementsAre(1, 3, 4));
    problem.k = 4;
    codes = Encode(*backend_, problem);
    codes.indices.resize(4);
    EXPECT_THAT(codes.indices, ElementsAre(1, 2, 3, 4));
  }
}

TEST_P(AffineTopKConformance, ARowsCodeIsTheSameAloneAndInAnyBatch) {
  const Problem problem = RandomProblem(300, 100, 150, 12);
  const Codes together = Encode(*backend_, problem);
  for (int64_t rows : {1, 2, 37}) {
    for (int64_t begin = 0; begin + rows <= problem.rows; begin += 61) {
      Problem part = problem;
      part.rows = rows;
      part.x.assign(problem.x.begin() + begin * problem.width, problem.x.begin() + (begin + rows) * problem.width);
      const Codes alone = Encode(*backend_, part);
      const auto first = begin * problem.k, last = (begin + rows) * problem.k;
      EXPECT_EQ(alone.indices, std::vector<int32_t>(together.indices.begin() + first, together.indices.begin() + last));
      EXPECT_EQ(Bits(alone.values),
                Bits(std::vector<float>(together.values.begin() + first, together.values.begin() + last)));
    }
  }
}

TEST_P(AffineTopKConformance, RefreshTakesUpNewAtoms) {
  // Atoms that grow a million times: bounds made from the old ones would be far too tight.
  Problem problem = RandomProblem(40, 784, 100, 10);
  Floats x(*backend_, problem.x), atoms(*backend_, problem.atoms), bias(*backend_, problem.bias);
  Ints indices(*backend_, problem.rows * problem.k);
  Floats values(*backend_, problem.rows * problem.k);
  auto dictionary = backend_->PrepareDictionary(atoms.data(), bias.data(), problem.units, problem.width);
  ASSERT_TRUE(dictionary.ok());
  for (int64_t unit = 1; unit < problem.units; ++unit) {
    std::copy_n(problem.atoms.begin(), problem.width, problem.atoms.begin() + unit * problem.width);
    problem.bias[unit] = problem.bias[0];
  }
  for (size_t i = 0; i < problem.atoms.size(); ++i) problem.atoms[i] *= 1e6f + (i * 7919 % 13 == 0) * 0.125f;
  atoms.Write(problem.atoms);
  bias.Write(problem.bias);
  ASSERT_EQ(backend_->RefreshDictionary(**dictionary), absl::OkStatus());
  ASSERT_EQ(backend_->AffineTopK({dictionary->get(), x.data(), problem.rows, problem.k, indices.data(), values.data()}),
            absl::OkStatus());
  const Codes expected = Encode(*reference_, problem);
  EXPECT_EQ(indices.Read(), expected.indices);
  EXPECT_EQ(Bits(values.Read()), Bits(expected.values));
}

TEST_P(AffineTopKConformance, TheReferenceIsTheDefinition) {
  // Chosen by hand: scores 3, 5, -7, 5 and ties to the lowest; k-th by value, not by magnitude.
  const Problem problem{2, 2, 4, 2, {1, 2, 1, 2}, {1, 1, 1, 2, -5, -1, 3, 1}, {0, 0, 0, 0}};
  const Codes codes = Encode(*backend_, problem);
  EXPECT_THAT(codes.indices, ElementsAre(1, 3, 1, 3));
  EXPECT_THAT(codes.values, ElementsAre(5, 5, 5, 5));
}

TEST_P(AffineTopKConformance, MoreUnitsThanAreScoredAtOnce) {
  ExpectSameBits(RandomProblem(40, 32, 5000, 20));
  ExpectSameBits(RandomProblem(19, 16, 4100, 700));
}

TEST_P(AffineTopKConformance, TheBestOfManyUnitsLieTogether) {
  // A sample of the units then tells nothing about the others: it holds all that are far better, or none of them.
  for (int64_t first : {0, 64, 1000}) {
    for (int64_t better : {9, 30, 60}) {
      Problem problem = RandomProblem(14, 24, 5000, 40);
      for (int64_t unit = first; unit < first + better; ++unit) problem.bias[unit] += 1;
      ExpectSameBits(problem);
      for (int64_t unit = first; unit < first + better; ++unit) problem.bias[unit] += 100;
      ExpectSameBits(problem);
    }
  }
}

TEST_P(AffineTopKConformance, FewRowsShareTheUnitsAmongThreads) { ExpectSameBits(RandomProblem(8, 128, 11000, 9)); }

TEST_P(AffineTopKConformance, SomeRowsHaveMoreUnitsWithinTheBoundThanThereIsRoomFor) {
  // Atoms that differ by a few units of the last place, and biases by less than any bound of a row but of zeros.
  Problem problem = RandomProblem(5, 40, 2600, 6);
  const std::vector<float> own = Gaussians(problem.units * problem.width, 3, 1e-7);
  for (int64_t unit = 0; unit < problem.units; ++unit) {
    for (int64_t d = 0; d < problem.width; ++d) {
      problem.atoms[unit * problem.width + d] = problem.atoms[d] + own[unit * problem.width + d];
    }
    problem.bias[unit] = 1e-7f * static_cast<float>(unit * 1201 % problem.units);
  }
  for (const int64_t row : {0, 2, 3}) std::fill_n(problem.x.begin() + row * problem.width, problem.width, 0.0f);
  ExpectSameBits(problem);
  // All rows.
  for (float& value : problem.x) value = value == 0 ? 1.0f : value;
  ExpectSameBits(problem);
  // More of them than a device scores at a time.
  problem.rows = 41;
  problem.x = Gaussians(problem.rows * problem.width, 8, 1);
  ExpectSameBits(problem);
}

TEST_P(AffineTopKConformance, TiesGoToTheLowestUnitOfManyToo) {
  // Whole numbers, so that most scores are shared by many of the units.
  Problem problem = RandomProblem(11, 6, 4500, 60);
  for (std::vector<float>* values : {&problem.x, &problem.atoms, &problem.bias}) {
    for (float& value : *values) value = std::round(value * 2);
  }
  ExpectSameBits(problem);
}

TEST_P(AffineTopKConformance, ImagesOfBytesAreTheFloatsThatTheyStandFor) {
  for (float divisor : {255.0f, 1.0f, 3e-30f, 1e30f}) {
    for (int64_t rows : {1, 2, 70}) {
      Problem problem = RandomProblem(rows, 203, 150, 12);
      std::vector<uint8_t> bytes(rows * problem.width);
      for (size_t i = 0; i < bytes.size(); ++i) {
        // Mostly zero, in stretches.
        bytes[i] = i / 20 % 3 == 0 ? static_cast<uint8_t>(i * 7919 % 256) : 0;
        problem.x[i] = static_cast<float>(bytes[i]) / divisor;
      }
      // Bytes in the backend's memory, in elements of four.
      std::vector<int32_t> words((bytes.size() + 3) / 4);
      std::memcpy(words.data(), bytes.data(), bytes.size());
      Ints stored(*backend_, words.size());
      stored.Write(words);
      Floats atoms(*backend_, problem.atoms), bias(*backend_, problem.bias), values(*backend_, rows * problem.k);
      Ints indices(*backend_, rows * problem.k);
      auto dictionary = backend_->PrepareDictionary(atoms.data(), bias.data(), problem.units, problem.width);
      ASSERT_TRUE(dictionary.ok());
      AffineTopKArgs args;
      args.dictionary = dictionary->get();
      args.bytes = reinterpret_cast<const uint8_t*>(stored.data());
      args.divisor = divisor;
      args.rows = rows;
      args.k = problem.k;
      args.indices = indices.data();
      args.values = values.data();
      ASSERT_EQ(backend_->AffineTopK(args), absl::OkStatus());
      const Codes expected = Encode(*reference_, problem);
      EXPECT_EQ(indices.Read(), expected.indices) << "divisor " << divisor;
      EXPECT_EQ(Bits(values.Read()), Bits(expected.values)) << "divisor " << divisor;
    }
  }
}

TEST_P(AffineTopKConformance, ManyUnitsWithinTheBoundAreStillToldApart) {
  // One long atom makes every atom's rounding coarse against the differences of the others' scores.
  Problem problem = RandomProblem(12, 40, 400, 15);
  for (int64_t unit = 0; unit < problem.units; ++unit) {
    for (int64_t d = 0; d < problem.width; ++d) {
      float& weight = problem.atoms[unit * problem.width + d];
      weight = d == 0 ? 50.0f * (unit % 2 ? 1 : -1) : weight * 0.01f;
    }
    problem.bias[unit] = 0;
  }
  for (int64_t i = 0; i < problem.rows; ++i) problem.x[i * problem.width] = 0;
  ExpectSameBits(problem);
}

// Every way of the backends to find candidates that this processor has, beside the cases of all suites.
std::vector<BackendCase> AllFilterCases() {
  std::vector<BackendCase> cases = AllBackendCases();
  // The reference has but one thread.
  cases.erase(std::remove_if(cases.begin(), cases.end(),
                             [](const BackendCase& c) { return c.name == "reference" && c.threads > 1; }),
              cases.end());
  for (const char* set : {"vnni", "avx512", "avx2", "portable"}) {
    for (const char* filter : {"int8", "fp32"}) {
      const BackendCase forced{"onednn", 2, {{"instruction_set", set}, {"filter", filter}}};
      if (CreateBackend(forced.name, {1, forced.settings}).ok()) cases.push_back(forced);
    }
  }
  cases.push_back({"emulated", 1, {{"filter", "bf16"}, {"seed", "1000"}}});  // beyond those of AllBackendCases
  const BackendCase rounded{"onednn", 2, {{"filter", "bf16"}}};
  if (CreateBackend(rounded.name, {1, rounded.settings}).ok()) cases.push_back(rounded);
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, AffineTopKConformance, testing::ValuesIn(AllFilterCases()), CaseName);

}  // namespace
}  // namespace kwta::affine_top_k_conformance_test
