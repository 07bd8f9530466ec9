// The operations of winner-take-all convolutional encoders in plain loops: they define what every backend computes.
//
// Activities are FixedOrderConvolution's. Other sums are in binary64 in the order of the indices and rounded to
// binary32 once. One thread, host memory. Thread-safe.
#pragma once

#include "core/backends/host_operations.h"

namespace kwta {

void ReferenceConvWinners(const ConvWinnersArgs& args);
void ReferenceWinnerResidual(const WinnerResidualArgs& args);
void ReferenceWinnerGradient(const WinnerGradientArgs& args);
void ReferenceConvPool(const ConvPoolArgs& args);
void ReferenceAdamUpdate(const AdamUpdateArgs& args);

}  // namespace kwta
