#pragma once

// The vocabulary that hand-written kernels are written in, and the only header that a native kernel needs besides its
// contract. One source, two builds (docs/simulator.md):
//   nvcc               a GPU,         namespace heddle::kernels::cuda, in libheddle_cuda
//   the host compiler  the simulator, namespace heddle::kernels::sim,  in libheddle_sim
//
// Rules for kernels: shared memory through HEDDLE_SHARED and HEDDLE_SHARED_DYNAMIC; explicit masks in every *_sync; no
// early return before a barrier; no PTX outside this folder; `launch` instead of <<<>>>.
#if defined(__CUDACC__)
#include "kernels/simt/cuda.h"
#else
#include "kernels/simt/sim.h"
#endif

#include "kernels/simt/async.h"
#include "kernels/simt/matrix.h"
#include "kernels/simt/reduce.h"
#include "kernels/simt/vector.h"
