// Marks functions that kernels of a device use too.
#pragma once

#ifdef __CUDACC__
#define KWTA_HOST_DEVICE __host__ __device__
#else
#define KWTA_HOST_DEVICE
#endif
