// Every kernel's source.
#pragma once

#include "core/backends/cuda/kernels/candidates.h"
#include "core/backends/cuda/kernels/dense.h"
#include "core/backends/cuda/kernels/regularised.h"
#include "core/backends/cuda/kernels/scores.h"
#include "core/backends/cuda/kernels/sparse.h"
#include "core/backends/cuda/kernels/tied.h"
#include "core/backends/cuda/kernels/winners.h"
