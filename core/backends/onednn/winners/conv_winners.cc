#include "core/backends/onednn/winners/conv_winners.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "core/backends/onednn/winners/convolution_blocks.h"
#include "core/backends/onednn/winners/search/winner_search.h"
#include "core/backends/reference/exact_top_k.h"
#include "core/backends/reference/winner_operations.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::winners {
namespace {

using Workspace = ConvolutionBlocks::Workspace;

// Writes the winner of each map of a block to units and values.
void BlockWinners(const ConvWinnersArgs& args, const ConvolutionRowKernels& kernels, const ConvolutionBlocks& blocks,
                  int64_t block, Workspace& workspace, int32_t* units, float* values) {
  constexpr int kParts = WinnersSoFar::kParts;
  const int64_t lanes = kernels.lanes;
  const int64_t positions = args.images.positions();
  WinnersSoFar so_far;
  so_far.values = workspace.own;
  so_far.positions = reinterpret_cast<int32_t*>(workspace.own + kParts * lanes);
  std::fill_n(so_far.values, kParts * lanes, 0.0f);
  std::fill_n(so_far.positions, kParts * lanes, -1);
  blocks.ForEachRow(block, workspace, [&](int64_t y, const float* z) {
    kernels.winners(z, args.images.width, static_cast<int32_t>(y * args.images.width), so_far);
  });
  for (int64_t l = 0; l < std::min(lanes, args.maps - block * lanes); ++l) {
    float value = 0;
    int32_t position = -1;
    for (int64_t at = l; at < kParts * lanes; at += lanes) {
      if (so_far.positions[at] < 0) continue;
      if (so_far.values[at] < value || (so_far.values[at] == value && position < so_far.positions[at])) continue;
      value = so_far.values[at];
      position = so_far.positions[at];
    }
    const int64_t map = block * lanes + l;
    units[map] = position < 0 ? -1 : static_cast<int32_t>(map * positions + position);
    values[map] = value;
  }
}

// Writes the activities of the maps of a block to activities[maps of the block, positions].
void BlockActivities(const ConvWinnersArgs& args, const ConvolutionBlocks& blocks, int64_t block, Workspace& workspace,
                     float* activities) {
  const int64_t lanes = blocks.lanes();
  const int64_t width = args.images.width;
  const int64_t maps = std::min(lanes, args.maps - block * lanes);
  blocks.ForEachRow(block, workspace, [&](int64_t y, const float* z) {
    for (int64_t l = 0; l < maps; ++l) {
      float* const row = activities + l * args.images.positions() + y * width;
      for (int64_t x = 0; x < width; ++x) row[x] = z[x * lanes + l];
    }
  });
}

// Writes the winners among activities[count], which belong to units first .. first + count - 1, to units and values
// [winners].
void LargestAboveZero(const float* activities, int64_t first, int64_t count, int64_t winners, int32_t* units,
                      float* values) {
  ExactTopK(activities, count, winners, units, values);
  int64_t kept = 0;
  for (int64_t e = 0; e < winners; ++e) {
    if (!(values[e] > 0)) continue;
    units[kept] = static_cast<int32_t>(units[e] + first);
    values[kept++] = values[e];
  }
  std::fill(units + kept, units + winners, -1);
  std::fill(values + kept, values + winners, 0.0f);
}

}  // namespace

absl::Status ConvWinners(support::Context& context, const ConvolutionRowKernels& kernels, const ConvWinnersArgs& args) {
  const Convolution convolution{args.filters, args.bias, args.maps, args.size, args.images, args.x};
  const SearchKernels search_kernels(context.instruction_set);
  const bool searches =
      args.scope == WinnerScope::kEachMap && args.winners == 1 && context.filter != support::Filter::kFloats &&
      context.instruction_set != simd::InstructionSet::kPortable && WinnerSearch::Suits(search_kernels, convolution);
  if (!searches) return ExactConvWinners(context, kernels, args);
  KWTA_ASSIGN_OR_RETURN(WinnerSearch search, WinnerSearch::Create(context, search_kernels, convolution));
  // Take whole images if there are enough for all threads.
  const int64_t rows = args.images.rows, threads = context.pool.threads();
  const int64_t parts = std::min(search.blocks(), threads == 1 ? 1 : DivideUp(4 * threads, std::max<int64_t>(rows, 1)));
  std::atomic<bool> all_loaded{true};
  context.pool.ParallelFor(rows * parts, 1, [&](int64_t task, int64_t, int thread) {
    const int64_t row = task / parts, part = task % parts;
    if (!search.Load(args.x + row * args.images.elements(), thread)) {
      all_loaded.store(false, std::memory_order_relaxed);
      return;
    }
    search.FindWinners(part * search.blocks() / parts, (part + 1) * search.blocks() / parts, thread,
                       args.units + row * args.maps, args.values + row * args.maps);
  });
  return all_loaded.load() ? absl::OkStatus() : ExactConvWinners(context, kernels, args);
}

absl::Status ExactConvWinners(support::Context& context, const ConvolutionRowKernels& kernels,
                              const ConvWinnersArgs& args) {
  const Convolution convolution{args.filters, args.bias, args.maps, args.size, args.images, args.x};
  if (!FiltersAreFinite(convolution)) {
    ReferenceConvWinners(args);
    return absl::OkStatus();
  }
  const int64_t positions = args.images.positions();
  const int64_t lanes = kernels.lanes;
  const bool each_map = args.scope == WinnerScope::kEachMap;
  const bool one_each = each_map && args.winners == 1;
  const int64_t entries = each_map ? args.maps * args.winners : args.winners;
  const int64_t own_floats = one_each   ? 2 * WinnersSoFar::kParts * lanes
                             : each_map ? lanes * positions
                                        : RoundUp(args.maps, lanes) * positions;
  KWTA_ASSIGN_OR_RETURN(ConvolutionBlocks blocks, ConvolutionBlocks::Create(context, kernels, convolution, own_floats));
  blocks.ForEachImage(!each_map, [&](int64_t image, int64_t first, int64_t last, Workspace& workspace) {
    int32_t* const units = args.units + image * entries;
    float* const values = args.values + image * entries;
    for (int64_t block = first; block < last; ++block) {
      if (one_each) {
        BlockWinners(args, kernels, blocks, block, workspace, units, values);
        continue;
      }
      float* const activities = workspace.own + (each_map ? 0 : block * lanes * positions);
      BlockActivities(args, blocks, block, workspace, activities);
      if (!each_map) continue;
      for (int64_t l = 0; l < std::min(lanes, args.maps - block * lanes); ++l) {
        const int64_t map = block * lanes + l;
        LargestAboveZero(activities + l * positions, map * positions, positions, args.winners,
                         units + map * args.winners, values + map * args.winners);
      }
    }
    if (!each_map) LargestAboveZero(workspace.own, 0, args.maps * positions, args.winners, units, values);
  });
  return absl::OkStatus();
}

}  // namespace kwta::onednn::winners
