// Every kernel, once.
#pragma once

namespace kwta::cuda {

// X(name): a kernel NameKernel with the identity KernelId::kName.
// clang-format off
#define KWTA_CUDA_KERNELS(X)                                                                   \
  X(ExactScores) X(ListedDots)                                                                 \
  X(Fold) X(WriteCodes) X(List) X(RoundRows) X(FromBytes)                                      \
  X(Product) X(ColumnSums) X(Sum) X(Momentum) X(Adam)                                          \
  X(Decode) X(Count) X(Scan) X(Scatter) X(SortGroups) X(ActiveGradient)                        \
  X(BringUpToDate) X(TiedUpdate)                                                               \
  X(Convolve) X(Winner) X(Pool) X(PoolActivities) X(WinnerDecode) X(WinnerDots)                \
  X(WinnerGradient) X(ChannelSums)                                                             \
  X(Corrupt) X(Activate) X(UnitTerms) X(OutputError) X(ActivityGradient) X(AlongAtoms)
// clang-format on

enum class KernelId {
#define KWTA_CUDA_KERNEL(name) k##name,
  KWTA_CUDA_KERNELS(KWTA_CUDA_KERNEL)
#undef KWTA_CUDA_KERNEL
};

}  // namespace kwta::cuda
