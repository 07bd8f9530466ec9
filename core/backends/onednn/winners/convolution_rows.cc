#include "core/backends/onednn/winners/convolution_rows.h"

// This file is compiled with -ffp-contract=off: activities are never fused.

namespace kwta::onednn::winners {

namespace {

#define KWTA_KERNELS "core/backends/onednn/winners/convolution_rows.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const ConvolutionRowKernels& ConvolutionRowKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::winners
