// The subset of CUDA C++ in which the kernels are written. NVRTC takes it as it is; a C++ compiler for the
// processor takes it through emulate.h. Both give the same bits: neither contracts a product and a sum
// (-fmad=false, -ffp-contract=off), long sums are chains of fmaf, division and square root are those of IEEE 754.
//
// Allowed: threadIdx.x, blockDim.x, blockIdx, gridDim, __syncthreads, __syncwarp, __shfl_xor_sync, fmaf, sqrtf,
// sqrt, float2, float4, pool(), copy_later(). No atomics: the order of every sum is fixed.
#pragma once
#ifdef __CUDACC__
typedef unsigned int u32;
typedef unsigned long long u64;
#define DEVICE static __device__ __forceinline__
// A kernel takes one Step, which stays where the driver puts it. Registers are given out so that a multiprocessor has
// room for so many blocks.
#define KERNEL(name, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Step s)
// Memory that the threads of a block share; its size is given when the kernel is launched.
DEVICE float* pool() {
  extern __shared__ float4 gpu_pool[];
  return reinterpret_cast<float*>(gpu_pool);
}
#define DEVICE_METHOD __device__ __forceinline__
// Copies 4 or 16 bytes to shared memory without waiting, or zeros where nothing is there.
template <int BYTES>
DEVICE void copy_later(float* to, const float* from, bool is_there) {
  const u32 address = (u32)__cvta_generic_to_shared(to);
  const int bytes = is_there ? BYTES : 0;
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(from), "n"(BYTES), "r"(bytes) : "memory");
}
// Copies since the last call are a group.
DEVICE void end_group() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until only the last LEFT groups of this thread may be on their way.
template <int LEFT>
DEVICE void wait_for_groups() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}
DEVICE u32 bits_of(float x) { return __float_as_uint(x); }
DEVICE float of_bits(u32 x) { return __uint_as_float(x); }
// a / b as IEEE 754 rounds it, for b from 1 to 2^126 and a no larger.
#if __CUDA_ARCH__ == 900
// A reciprocal that one step of Newton's makes exact to half a unit, and one correction by the exact remainder
// (Markstein, "IA-64 and Elementary Functions", 2000): without the compiler's test for other sizes, divisions of
// several rows run beside each other. On an H200 all 2^32 inputs of `sigmoid` and `hyperbolic_tangent` were compared
// with the compiler's division (2026-11-27): one differed, -0, which became 0. The remainder is negative since then,
// which changes the sign of zeros alone; that was not compared again.
DEVICE float divide(float a, float b) {
  float r;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(b));
  r = fmaf(fmaf(-b, r, 1.0f), r, r);
  const float q = a * r;
  return fmaf(-fmaf(b, q, -a), r, q);
}
#else
DEVICE float divide(float a, float b) { return a / b; }
#endif
#else
#include "emulate.h"
#endif
