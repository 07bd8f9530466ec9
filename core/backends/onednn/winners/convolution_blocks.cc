#include "core/backends/onednn/winners/convolution_blocks.h"

#include <algorithm>
#include <cmath>

#include "core/backends/onednn/support/arena.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::winners {
namespace {

// Tasks per thread, so that threads finish at about the same time.
constexpr int64_t kTasksPerThread = 4;

// From this fraction of non-zero pixels on, skipping zeros gains nothing.
constexpr double kDense = 0.5;

}  // namespace

bool FiltersAreFinite(const Convolution& convolution) {
  const int64_t weights = convolution.maps * convolution.images.channels * convolution.size * convolution.size;
  // The sum is zero, unless one of the numbers is an infinity or NaN.
  float sum = 0;
  for (int64_t i = 0; i < weights; ++i) sum += 0 * convolution.filters[i];
  return sum == 0;
}

absl::StatusOr<ConvolutionBlocks> ConvolutionBlocks::Create(support::Context& context,
                                                            const ConvolutionRowKernels& kernels,
                                                            const Convolution& convolution, int64_t own_floats) {
  const ImageBatch& images = convolution.images;
  const int64_t size = convolution.size;
  const int64_t lanes = kernels.lanes;
  const int64_t blocks = DivideUp(convolution.maps, lanes);
  const int64_t filter_floats = images.channels * size * size * lanes;
  std::vector<Workspace> workspaces(static_cast<size_t>(context.pool.threads()));
  float* filters = nullptr;
  float* bias = nullptr;
  const float* zeros = nullptr;
  const auto arrange = [&](support::Arena& arena) {
    filters = arena.Take<float>(blocks * filter_floats);
    bias = arena.Take<float>(blocks * lanes);
    float* const zero = arena.Take<float>(size * lanes);
    if (zero != nullptr) std::fill_n(zero, size * lanes, 0.0f);
    zeros = zero;
    for (Workspace& workspace : workspaces) {
      workspace.pixels = arena.Take<ColumnPixel>(images.elements());
      workspace.starts = arena.Take<int32_t>(images.channels * images.width * (images.height + 1));
      workspace.rows.resize(static_cast<size_t>(images.height));
      for (RowVisits& visits : workspace.rows) {
        visits.columns = arena.Take<int32_t>(images.width);
        visits.spans = arena.Take<PixelSpan>(images.width * images.channels);
      }
      workspace.own = arena.Take<float>(own_floats);
      ConvolutionRowArgs& row = workspace.row;
      row.channels = images.channels;
      row.height = images.height;
      row.width = images.width;
      row.size = size;
      row.sums = arena.Take<float>(images.width * size * lanes);
      row.columns = arena.Take<const float*>(images.width + size - 1);
      row.tree = arena.Take<float>(size * lanes);
      row.zeros = zeros;
      row.z = arena.Take<float>(images.width * lanes);
    }
  };
  KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease lease, support::TakeArrays(context.scratch, arrange));
  ConvolutionBlocks result(context, kernels, convolution, std::move(lease));
  result.blocks_ = blocks;
  result.filter_floats_ = filter_floats;
  result.filters_ = filters;
  result.bias_ = bias;
  result.workspaces_ = std::move(workspaces);
  for (int64_t block = 0; block < blocks; ++block) result.PackBlock(block);
  for (Workspace& workspace : result.workspaces_) {
    std::fill_n(workspace.row.columns, images.width + size - 1, zeros);
  }
  return result;
}

void ConvolutionBlocks::PackBlock(int64_t block) {
  const int64_t lanes = kernels_.lanes;
  const int64_t weights = filter_floats_ / lanes;
  float* const filters = filters_ + block * filter_floats_;
  for (int64_t l = 0; l < lanes; ++l) {
    const int64_t map = block * lanes + l;
    const bool exists = map < convolution_.maps;
    const float* const filter = convolution_.filters + map * weights;
    for (int64_t w = 0; w < weights; ++w) filters[w * lanes + l] = exists ? filter[w] : 0;
    bias_[map] = exists ? convolution_.bias[map] : 0;
  }
}

void ConvolutionBlocks::Load(const float* image, Workspace& workspace) const {
  const int64_t channels = convolution_.images.channels;
  const int64_t height = convolution_.images.height, width = convolution_.images.width;
  workspace.row.dense = nullptr;
  if (convolution_.size <= kWidestDense) {
    const int64_t elements = convolution_.images.elements();
    int64_t pixels = 0;
    for (int64_t i = 0; i < elements; ++i) pixels += image[i] != 0 ? 1 : 0;
    if (static_cast<double>(pixels) >= kDense * static_cast<double>(elements)) {
      workspace.row.dense = image;
      return;
    }
  }
  const auto step = static_cast<int32_t>(convolution_.size * kernels_.lanes);
  for (int64_t c = 0; c < channels; ++c) {
    int32_t* start = workspace.starts + c * (height + 1) * width;
    for (int64_t u = 0; u < width; ++u) start[u] = static_cast<int32_t>((c * width + u) * height);
    for (int64_t y = 0; y < height; ++y, start += width) {
      const float* const row = image + (c * height + y) * width;
      // No branch on the pixel: nothing could predict it.
      for (int64_t u = 0; u < width; ++u) workspace.pixels[start[u]] = {row[u], static_cast<int32_t>(y) * step};
      for (int64_t u = 0; u < width; ++u) start[width + u] = start[u] + (row[u] != 0 ? 1 : 0);
    }
  }
  const ColumnPixel* const pixels = workspace.pixels;
  for (int64_t y = 0; y < height; ++y) {
    const int64_t top = y - (convolution_.size - 1) / 2;
    const int32_t* const first = workspace.starts + std::max<int64_t>(top, 0) * width;
    const int32_t* const last = workspace.starts + std::min(top + convolution_.size, height) * width;
    const RowVisits& visits = workspace.rows[y];
    PixelSpan* spans = visits.spans;
    int64_t count = 0;
    for (int64_t u = 0; u < width; ++u) {
      bool sees = false;
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t column = c * (height + 1) * width + u;
        spans[c] = {pixels + first[column], pixels + last[column]};
        sees |= first[column] != last[column];
      }
      visits.columns[count] = static_cast<int32_t>(u);
      count += sees ? 1 : 0;
      spans += sees ? channels : 0;
    }
    workspace.rows[y].count = count;
  }
}

void ConvolutionBlocks::ForEachImage(bool whole,
                                     const std::function<void(int64_t, int64_t, int64_t, Workspace&)>& body) {
  const ImageBatch& images = convolution_.images;
  if (images.rows == 0) return;
  // Take whole images if there are enough for all threads.
  const int64_t wanted = DivideUp(kTasksPerThread * context_.pool.threads(), images.rows);
  const int64_t group = DivideUp(blocks_, std::min(whole || context_.pool.threads() == 1 ? 1 : wanted, blocks_));
  const int64_t groups = DivideUp(blocks_, group);
  context_.pool.ParallelFor(images.rows * groups, 1, [&](int64_t task, int64_t, int thread) {
    const int64_t image = task / groups;
    const int64_t first = task % groups * group;
    Workspace& workspace = workspaces_[thread];
    Load(convolution_.x + image * images.elements(), workspace);
    body(image, first, std::min(first + group, blocks_), workspace);
  });
}

}  // namespace kwta::onednn::winners
