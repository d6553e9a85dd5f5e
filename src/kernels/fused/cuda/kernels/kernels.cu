// All kernels of the engine `fused` for CUDA, in one program.
#include "backward.cu"
#include "forward.cu"
#include "head.cu"
#include "project.cu"
#include "tokens.cu"
#include "update.cu"
#include "weights.cu"
