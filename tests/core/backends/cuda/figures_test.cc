// What each kernel moves, counted by the emulation, against the least that its blocks need. scripts/proofs/cuda_figures
// prints these figures.
#include <cmath>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "core/backends/cuda/cuda_backend.h"
#include "gtest/gtest.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"
#include "tests/core/backends/regularised_problems.h"
#include "tests/core/backends/tied_problems.h"
#include "tests/core/backends/winner_problems.h"

namespace kwta::cuda::figures_test {
namespace {

// The bar of bytes moved over the least possible, and of operations of exact kernels.
constexpr double kMost = 2;

class Figures : public testing::Test {
 protected:
  explicit Figures() { Open(Filter::kNone, false); }

  void Open(Filter filter, bool products) {
    EmulationOptions options;
    options.counting = true;
    options.products = products;
    auto device = std::make_unique<EmulatedDevice>(options);
    device_ = device.get();
    backend_ = std::make_unique<CudaBackend>("emulated", std::move(device), filter);
  }

  // Prints the figures of `kernel` since the last ResetCounts. `bytes`: what its blocks need, each number once a block;
  // `operations`: sums and products of exact kernels, 0 for others. Sectors of 32 bytes are moved whole.
  void Check(const std::string& kernel, int64_t rows, double bytes, double operations = 0) {
    const auto counts = device_->counts();
    ASSERT_EQ(counts.count(kernel), 1) << kernel;
    const LaunchCounts& count = counts.at(kernel);
    const double moved = static_cast<double>(count.distinct_bytes) / bytes;
    const double computed = operations > 0 ? static_cast<double>(count.operations) / operations : 1;
    std::ostringstream line;
    line << "figure " << kernel << "_bytes_a_row=" << count.distinct_bytes / rows << " " << kernel
         << "_bytes_over_least=" << moved;
    if (operations > 0) {
      line << " " << kernel << "_operations_a_row=" << count.operations / rows << " " << kernel
           << "_operations_over_least=" << computed;
    }
    std::cout << line.str() << std::endl;
    for (const double over : {moved, computed}) {
      EXPECT_LE(over, kMost) << kernel;
      EXPECT_GE(over, 1 - 1e-9) << kernel << ": the least is not the least";
    }
  }

  EmulatedDevice* device_ = nullptr;
  std::unique_ptr<CudaBackend> backend_;
};

constexpr int64_t kRows = 32, kWidth = 256, kUnits = 512, kK = 16, kEntries = kRows * kK;

TEST_F(Figures, OfCodes) {
  for (const Filter filter : {Filter::kNone, Filter::kBf16}) {
    Open(filter, true);
    Floats atoms(*backend_, Gaussians(kUnits * kWidth, 2, 0.1)), bias(*backend_, kUnits);
    Floats x(*backend_, Gaussians(kRows * kWidth, 1)), values(*backend_, kEntries);
    Ints indices(*backend_, kEntries);
    device_->ResetCounts();
    const auto dictionary = backend_->PrepareDictionary(atoms.data(), bias.data(), kUnits, kWidth).value();
    if (filter == Filter::kBf16) {
      Check("round_rows", kUnits, kUnits * (kWidth * 6.0 + 4));
      device_->ResetCounts();
    }
    ASSERT_EQ(backend_->AffineTopK({dictionary.get(), x.data(), kRows, kK, indices.data(), values.data()}),
              absl::OkStatus());
    if (filter == Filter::kNone) {
      // A block has 8 rows and 16 units.
      const double blocks = kRows / 8 * (kUnits / 16);
      Check("exact_scores", kRows, blocks * 4 * ((8 + 16) * kWidth + 16 + 8 * 16), 2.0 * kRows * kUnits * kWidth);
      // Each score once, and the keys of those that stay.
      Check("fold", kRows, kRows * kUnits * 4.0 + kEntries * 8.0);
      Check("write_codes", kRows, kEntries * 16.0);
      continue;
    }
    // Each candidate's atom, and the row; the key is read and written.
    const double candidates = static_cast<double>(device_->counts().at("listed_dots").operations) / (2.0 * kWidth);
    EXPECT_LE(candidates, 2.0 * kRows * (kK + 8)) << "the filter leaves few candidates";
    Check("listed_dots", kRows, kRows * 4.0 * kWidth + kEntries * (4.0 * kWidth + 8), 2.0 * kEntries * kWidth);
  }
}

TEST_F(Figures, TheFilterLeavesNothingToExactScoresWhateverTheWidth) {
  Open(Filter::kBf16, true);
  for (const int64_t width : {1, 37, 256, 261}) {
    Floats atoms(*backend_, Gaussians(kUnits * width, 2, 0.1)), bias(*backend_, Gaussians(kUnits, 3));
    Floats x(*backend_, Gaussians(kRows * width, 1)), values(*backend_, kEntries);
    Ints indices(*backend_, kEntries);
    const auto dictionary = backend_->PrepareDictionary(atoms.data(), bias.data(), kUnits, width).value();
    device_->ResetCounts();
    ASSERT_EQ(backend_->AffineTopK({dictionary.get(), x.data(), kRows, kK, indices.data(), values.data()}),
              absl::OkStatus());
    EXPECT_EQ(device_->counts().at("exact_scores").operations, 0) << width;
  }
}

TEST_F(Figures, OfATrainingStep) {
  TiedState state(*backend_, kUnits, kWidth);
  const std::vector<float> x = Gaussians(kRows * kWidth, 1);
  device_->ResetCounts();
  RunStep(state, x, kK);
  const double entries = kEntries;
  // Atoms of the entries, the bias, the row and its residual.
  Check("decode", kRows, entries * (4 * kWidth + 8) + kRows * (3 * 4.0 * kWidth + 8));
  // Row and residual of each entry; atoms and velocities of all units.
  Check("tied_update", kRows, entries * (8 * kWidth + 12) + kUnits * (8.0 * kWidth + 20));
  Check("column_sums", kRows, (kRows + 1) * 4.0 * kWidth);
  Check("momentum", 1, 3 * 4.0 * kWidth);
}

TEST_F(Figures, OfGradientsAndUpdates) {
  Ints indices(*backend_, kEntries);
  std::vector<int32_t> units(kEntries);
  for (int64_t e = 0; e < kEntries; ++e) units[e] = static_cast<int32_t>((e / kK * 37 + e % kK * 32) % kUnits);
  indices.Write(units);
  Floats dz(*backend_, Gaussians(kEntries, 3)), atoms(*backend_, Gaussians(kUnits * kWidth, 2));
  Floats x(*backend_, Gaussians(kRows * kWidth, 1)), gradient(*backend_, kUnits * kWidth), bias(*backend_, kUnits);
  Floats first(*backend_, kUnits * kWidth), second(*backend_, kUnits * kWidth);
  Ints active(*backend_, kUnits);
  int64_t used = 0;
  std::vector<bool> seen(kUnits);
  for (const int32_t unit : units) {
    used += !seen[unit];
    seen[unit] = true;
  }
  device_->ResetCounts();
  ActiveGradientArgs args;
  args.indices = indices.data();
  args.dz = dz.data();
  args.rows = kRows;
  args.k = kK;
  args.units = kUnits;
  args.width = kWidth;
  args.x = x.data();
  args.atoms = atoms.data();
  args.gradient_atoms = gradient.data();
  args.gradient_bias = bias.data();
  args.active_rows = active.data();
  ASSERT_EQ(backend_->ActiveGradient(args), absl::OkStatus());
  // The row of each entry; the gradient of units that have one.
  Check("active_gradient", kRows, kEntries * (4.0 * kWidth + 8) + 4.0 * kWidth * static_cast<double>(used));
  device_->ResetCounts();
  AdamUpdateArgs adam;
  adam.parameter = atoms.data();
  adam.first = first.data();
  adam.second = second.data();
  adam.gradient = gradient.data();
  adam.size = kUnits * kWidth;
  adam.step = 1;
  ASSERT_EQ(backend_->AdamUpdate(adam), absl::OkStatus());
  Check("adam", kUnits, 16.0 * kUnits * kWidth);
}

TEST_F(Figures, OfWinners) {
  const WinnerProblem problem = RandomWinnerProblem({{4, 1, 24, 24}, 8, 7});
  constexpr double kPositions = 24 * 24, kWeights = 49, kMaps = 4 * 8;
  device_->ResetCounts();
  RunConvWinners(*backend_, problem);
  // A block is a map of an image: the image, a filter and a winner.
  Check("winner", 4, kMaps * 4 * (kPositions + kWeights + 3), kMaps * kPositions * (2 * kWeights + 8));
  device_->ResetCounts();
  const Pooling pooling{5, 3, 2};
  RunConvPool(*backend_, problem, pooling);
  const double pooled = std::pow(static_cast<double>(pooling.Extent(24)), 2);
  Check("pool", 4, kMaps * 4 * (kPositions + kWeights + 1 + pooled), kMaps * kPositions * (2 * kWeights + 8));
}

TEST_F(Figures, OfDenseKernels) {
  Floats a(*backend_, Gaussians(128 * kWidth, 1)), b(*backend_, Gaussians(128 * kWidth, 2)), c(*backend_, 128 * 128);
  device_->ResetCounts();
  ASSERT_EQ(backend_->Gemm({a.data(), b.data(), c.data(), 128, 128, kWidth, true}), absl::OkStatus());
  // Four blocks of 64 x 64.
  Check("product", 128, 4 * 4.0 * (2 * 64 * kWidth + 64 * 64));
}

TEST_F(Figures, OfARegularisedPass) {
  constexpr int64_t kN = 64, kH = 128, kD = 96;
  RegularisedProblem problem = RandomRegularisedProblem(kN, kH, kD, 0.1, 3);
  Floats atoms(*backend_, problem.atoms), bias(*backend_, problem.bias), decoder_bias(*backend_, problem.decoder_bias);
  Floats x(*backend_, problem.x), mean(*backend_, problem.running_mean), gradient_atoms(*backend_, kH * kD);
  Floats gradient_bias(*backend_, kH), gradient_decoder_bias(*backend_, kD);
  Ints active(*backend_, kH);
  Doubles sums(*backend_, 3 * kH), error(*backend_, 1), penalty(*backend_, 1);
  RegularisedPassArgs args;
  args.atoms = atoms.data();
  args.bias = bias.data();
  args.decoder_bias = decoder_bias.data();
  args.units = kH;
  args.width = kD;
  args.x = x.data();
  args.rows = kN;
  args.sparsity.running_mean = mean.data();
  args.corruption = {CorruptionKind::kMasking, 0.3f, 77, 1000};
  args.gradient_atoms = gradient_atoms.data();
  args.gradient_bias = gradient_bias.data();
  args.gradient_decoder_bias = gradient_decoder_bias.data();
  args.active_rows = active.data();
  args.activity_sums = sums.data();
  args.squared_error = error.data();
  args.penalty = penalty.data();
  device_->ResetCounts();
  ASSERT_EQ(backend_->RegularisedPass(args), absl::OkStatus());
  Check("corrupt", kN, kN * kD * 8.0);
  // A block of 256 activities: products, bias, h.
  Check("activate", kN, kN * kH * 8.0);
  Check("activity_gradient", kN, kN * kH * 8.0);
  // Each product and atom once; what a unit adds up.
  Check("unit_terms", kN, 4.0 * (kN * kH + kH * kD) + kH * (4 + 24 + 4 * 4 + 8.0));
  Check("output_error", kN, kN * (4 * 4.0 * kD + 16));
  Check("along_atoms", kH, kH * (8.0 * kD + 12));
}

}  // namespace
}  // namespace kwta::cuda::figures_test
