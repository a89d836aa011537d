// The CUDA kernel for the simulator: the same source, for the host's compiler.
#include "direct3x3.cu"
