// How alike the atoms of a dictionary are. "k-Sparse Autoencoders", section 3.3.
#pragma once

#include "core/base/thread_pool.h"
#include "core/research/sparse_coding/sparse_solution.h"

namespace kwta {

// Mutual coherence, the largest |<w_i, w_j>| of two different atoms, each divided by its length (equation (8), which
// has atoms of unit length): 0 .. 1. Atoms that are zero are left out; with fewer than two others it is 0. The result
// does not depend on the number of threads. Thread-safe.
double MutualCoherence(const Atoms& atoms, ThreadPool& pool);

// Below this number of non-zeros a code with x = W z is the only one so sparse: (1 + 1 / coherence) / 2, Donoho & Elad,
// 2003, theorem 1. (Section 3.3 states it without the half.) Infinite for a coherence of 0.
double UniqueSparsityBound(double coherence);

}  // namespace kwta
