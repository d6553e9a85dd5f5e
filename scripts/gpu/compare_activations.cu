// Compares `sigmoid` and `hyperbolic_tangent` as a GPU computes them with those of the processor, bit by bit, for all
// 2^32 inputs: the short division of sm_90 (gpu.h) can be checked in no other way. Needs nvcc and a GPU; a minute.
//
//   kernels=src/kernels/fused/cuda/kernels
//   g++ -std=c++17 -O3 -march=native -ffp-contract=off -I $kernels -x c++ -c scripts/gpu/compare_activations.cu -o processor.o
//   nvcc -std=c++17 -arch=sm_90 -fmad=false -I $kernels scripts/gpu/compare_activations.cu processor.o -o compare && ./compare
//
// Prints how many inputs differ, and the first of them; exit code 1 if there is one.
#include "activation.h"

constexpr u64 INPUTS = 1ull << 32, AT_A_TIME = 1ull << 26;
enum Function { SIGMOID, TANH };

#ifndef __CUDACC__
#include <algorithm>
#include <thread>

void by_processor(Function function, unsigned long long first, float* to) {
  const u64 threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> all;
  for (u64 part = 0; part < threads; part++)
    all.emplace_back([=] {
      for (u64 i = AT_A_TIME * part / threads; i < AT_A_TIME * (part + 1) / threads; i++) {
        const float x = of_bits((u32)(first + i));
        to[i] = function == SIGMOID ? sigmoid(x) : hyperbolic_tangent(x);
      }
    });
  for (std::thread& each : all) each.join();
}
#else
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

void by_processor(Function function, unsigned long long first, float* to);

__global__ void by_gpu(Function function, u64 first, float* to) {
  const u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x;
  const float x = of_bits((u32)(first + i));
  to[i] = function == SIGMOID ? sigmoid(x) : hyperbolic_tangent(x);
}

void must(cudaError_t code) {
  if (code == cudaSuccess) return;
  std::fprintf(stderr, "error: %s\n", cudaGetErrorString(code));
  std::exit(2);
}

int main() {
  std::vector<float> wanted(AT_A_TIME), found(AT_A_TIME);
  float* device;
  must(cudaMalloc(&device, AT_A_TIME * sizeof(float)));
  u64 differ = 0;
  for (Function function : {SIGMOID, TANH}) {
    const char* name = function == SIGMOID ? "sigmoid" : "tanh";
    u64 of_this = 0;
    for (u64 first = 0; first < INPUTS; first += AT_A_TIME) {
      by_gpu<<<AT_A_TIME / 256, 256>>>(function, first, device);
      must(cudaGetLastError());
      by_processor(function, first, wanted.data());
      must(cudaMemcpy(found.data(), device, AT_A_TIME * sizeof(float), cudaMemcpyDeviceToHost));
      for (u64 i = 0; i < AT_A_TIME; i++) {
        u32 a, b;
        std::memcpy(&a, &found[i], 4), std::memcpy(&b, &wanted[i], 4);
        const bool no_numbers = found[i] != found[i] && wanted[i] != wanted[i];
        if (a == b || no_numbers) continue;
        if (of_this++ < 5) std::printf("%s of bits %08x: %08x on the GPU, %08x on the processor\n", name, (u32)(first + i), a, b);
      }
    }
    std::printf("%s: %llu of 2^32 inputs differ\n", name, of_this);
    differ += of_this;
  }
  return differ > 0;
}
#endif
