// What batchscope needs of libtorch and tch does not bind. Plain C functions; a C++ exception becomes a
// message that the caller frees with `batchscope_free`, and null means success.

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/version.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace {

template <typename Work>
char* guarded(Work work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& error) {
    return strdup(error.what());
  }
}

std::vector<at::Tensor> list(at::Tensor* const* handles, int64_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (int64_t i = 0; i < count; ++i) tensors.push_back(*handles[i]);
  return tensors;
}

// The signature that at::_fused_adam_ and at::_fused_adamw_ share (learning rate as a number).
using Update = void (*)(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                        at::TensorList, double, double, double, double, double, bool, bool,
                        const ::std::optional<at::Tensor>&, const ::std::optional<at::Tensor>&);

// A driver's version as people write it: 12040 is 12.4.
std::string version_name(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// Why no GPU can be used with this driver, in its own words; nothing where all is well.
std::string driver_trouble(void* driver) {
  auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  auto version = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDriverGetVersion"));
  auto describe = reinterpret_cast<int (*)(int, const char**)>(dlsym(driver, "cuGetErrorString"));
  if (!init || !version || !describe) return "the NVIDIA driver lacks a function: it is damaged, or a stub";
  // That of CUDA's runtime, which libtorch_cuda has brought along.
  auto needed = reinterpret_cast<int (*)(int*)>(dlsym(RTLD_DEFAULT, "cudaRuntimeGetVersion"));
  int has = 0, needs = 0;
  if (needed && needed(&needs) == 0 && version(&has) == 0 && has / 1000 < needs / 1000) {
    return "the NVIDIA driver is made for CUDA " + version_name(has) + ", and this libtorch needs CUDA " +
           version_name(needs) + ": update the driver";
  }
  const int code = init(0);
  if (code == 0) return "";
  const char* text = nullptr;
  if (describe(code, &text) != 0 || !text) text = "an error that it does not name";
  return std::string("the NVIDIA driver says: ") + text + " (error " + std::to_string(code) + ")";
}

}  // namespace

extern "C" {

// The version of the headers that this file was compiled against.
const char* batchscope_libtorch_version() { return TORCH_VERSION; }

void batchscope_free(char* message) { free(message); }

// Loads libtorch's CUDA half where there are an NVIDIA driver and such a libtorch. The linker drops this
// library, since no symbol of it is used directly, and without it CUDA silently counts as absent. What the
// driver says of itself is asked here too: libtorch takes any trouble with it for the absence of GPUs.
char* batchscope_load_cuda() {
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_GLOBAL);
  if (!driver) return nullptr;
  if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL)) return strdup(dlerror());
  const std::string trouble = driver_trouble(driver);
  return trouble.empty() ? nullptr : strdup(trouble.c_str());
}

// Keeps freed memory for the next step. By default glibc gives it back and takes it again in every step,
// and the page faults cost a quarter of the time of small steps, in some processes and not in others
// (quickstart, batch size 32, 2026-11-22).
void batchscope_keep_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the most that glibc allows
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

// Gives freed memory back to the system, so that the next run's peak is its own.
void batchscope_trim_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

// Deterministic cuDNN without autotuning, and no TF32: f32 means f32.
char* batchscope_set_exact() {
  return guarded([] {
    auto& context = at::globalContext();
    context.setDeterministicCuDNN(true);
    context.setBenchmarkCuDNN(false);
    context.setAllowTF32CuDNN(false);
    context.setAllowTF32CuBLAS(false);
  });
}

// Whether subnormal numbers count as zero in the calling thread.
void batchscope_flush_subnormals(bool on) { at::globalContext().setFlushDenormal(on); }

// One update, in place, of `count` parameters: torch.optim.AdamW(fused=True), which for a weight decay of
// 0 is torch.optim.Adam(fused=True). `step` is a tensor of one f32 that holds the number of this update,
// counted from 1.
char* batchscope_fused_adam(at::Tensor* const* parameters, at::Tensor* const* gradients,
                            at::Tensor* const* first_moments, at::Tensor* const* second_moments,
                            at::Tensor* step, int64_t count, double lr, double beta1, double beta2,
                            double epsilon, double weight_decay) {
  return guarded([&] {
    at::NoGradGuard no_grad;
    const std::vector<at::Tensor> steps(count, *step);
    const auto update = weight_decay == 0.0
                            ? static_cast<Update>(&at::_fused_adam_)
                            : static_cast<Update>(&at::_fused_adamw_);
    update(list(parameters, count), list(gradients, count), list(first_moments, count),
           list(second_moments, count), /*max_exp_avg_sqs=*/{}, steps, lr, beta1, beta2, weight_decay,
           epsilon, /*amsgrad=*/false, /*maximize=*/false, {}, {});
  });
}

// The most bytes that tensors held on a GPU since the last reset.
char* batchscope_cuda_peak(int index, bool reset, int64_t* bytes) {
  return guarded([&] {
    auto* allocator = c10::getDeviceAllocator(c10::DeviceType::CUDA);
    const auto stats = allocator->getDeviceStats(static_cast<c10::DeviceIndex>(index));
    *bytes = stats.allocated_bytes[0].peak;
    if (reset) allocator->resetPeakStats(static_cast<c10::DeviceIndex>(index));
  });
}

// Gives memory that the allocator keeps for later back to the GPUs.
char* batchscope_cuda_empty_cache() {
  return guarded([] { c10::getDeviceAllocator(c10::DeviceType::CUDA)->emptyCache(); });
}

// A GPU's name and memory, asked of the driver itself.
char* batchscope_cuda_describe(int index, char* name, int capacity, uint64_t* bytes) {
  return guarded([&] {
    void* driver = dlopen("libcuda.so.1", RTLD_LAZY);
    TORCH_CHECK(driver, "there is no NVIDIA driver");
    auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
    auto get = reinterpret_cast<int (*)(int*, int)>(dlsym(driver, "cuDeviceGet"));
    auto get_name = reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver, "cuDeviceGetName"));
    auto total = reinterpret_cast<int (*)(size_t*, int)>(dlsym(driver, "cuDeviceTotalMem_v2"));
    TORCH_CHECK(init && get && get_name && total, "the NVIDIA driver lacks a function");
    int device = 0;
    size_t memory = 0;
    TORCH_CHECK(init(0) == 0 && get(&device, index) == 0 && get_name(name, capacity, device) == 0 &&
                    total(&memory, device) == 0,
                "the NVIDIA driver does not describe device ", index);
    *bytes = memory;
  });
}

}  // extern "C"
