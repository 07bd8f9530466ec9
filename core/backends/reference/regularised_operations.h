// The operations of regularised autoencoders as plain loops in binary64.
#pragma once

#include "core/backends/regularised_args.h"

namespace kwta {

void ReferenceAffineActivation(const AffineActivationArgs& args);
void ReferenceRegularisedPass(const RegularisedPassArgs& args);

}  // namespace kwta
