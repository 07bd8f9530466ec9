// How similar the atoms of a dictionary are. "k-Sparse Autoencoders", section 3.3.
#pragma once

#include "core/base/thread_pool.h"
#include "core/research/sparse_coding/sparse_solution.h"

namespace kwta {

// Mutual coherence, 0 .. 1: the largest |<w_i, w_j>| of two different atoms, each divided by its length (equation (8)
// assumes atoms of unit length). Skips atoms that are zero; returns 0 if fewer than two others remain. The result does
// not depend on the number of threads. Thread-safe.
double MutualCoherence(const Atoms& atoms, ThreadPool& pool);

// A code with x = W z and fewer non-zeros than this is the only one that sparse: (1 + 1 / coherence) / 2, Donoho &
// Elad, 2003, theorem 1. (Section 3.3 states it without the half.) Infinite for a coherence of 0.
double UniqueSparsityBound(double coherence);

}  // namespace kwta
