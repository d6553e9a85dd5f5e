// NVIDIA's driver, as far as `cuda/driver.rs` uses it, over the emulated GPU: tests load it in place of
// libcuda.so.1, so that they go through every call of the driver. The program does not hold it.
//
// What it plays follows from its file's name, so that tests which need another part copy it under that name: words
// between hyphens. `none` no device, `old` a driver of CUDA 12.4, `turing` a device of sm_75, `small` one with 99 kB
// of shared memory a block (sm_89), `narrow` one with a single multiprocessor, `tight` one with 2 MB of memory, `refuses` one that loads no kernels.
#include <dlfcn.h>
#include <limits.h>

#include <mutex>
#include <string>
#include <unordered_map>

#include "kernels.cu"

namespace {

enum Result { SUCCESS = 0, INVALID = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, BAD_IMAGE = 200, NOT_FOUND = 500 };

bool plays(const char* part) {
  static const std::string name = [] {
    Dl_info info;
    // Of the file itself, whatever link the loader came by.
    char path[PATH_MAX] = "";
    if (!dladdr(reinterpret_cast<void*>(&plays), &info) || !realpath(info.dli_fname, path)) return std::string();
    return std::string(strrchr(path, '/'));
  }();
  return name.find(std::string("-") + part) != std::string::npos;
}

struct Kernel {
  const char* name;
  void (*run)(const Step&);
  size_t shared = 48 << 10;  // what may be asked for; more after it was set
};
#define OF(name) {#name, name}
Kernel kernels[] = {
    OF(project_rows), OF(project_tokens), OF(forward_1_by_2), OF(forward_1_by_4), OF(forward_2_by_2),
    OF(forward_2_by_4), OF(forward_3_by_2), OF(forward_3_by_4), OF(forward_4_by_2), OF(forward_4_by_4),
    OF(forward_5_by_2), OF(forward_6_by_2), OF(forward_7_by_2), OF(forward_1_odd), OF(forward_2_odd),
    OF(forward_3_odd), OF(forward_4_odd), OF(forward_5_odd), OF(forward_6_odd), OF(forward_7_odd), OF(head),
    OF(backward_1_by_2), OF(backward_1_by_4), OF(backward_2_by_2), OF(backward_2_by_4), OF(backward_3_by_2),
    OF(backward_3_by_4), OF(backward_4_by_2), OF(backward_4_by_4), OF(backward_5_by_2), OF(backward_6_by_2),
    OF(backward_7_by_2), OF(weights_rows), OF(weights_pieces), OF(weights_rows_masked), OF(weights_pieces_masked),
    OF(weights_tokens), OF(add_tokens), OF(add_up), OF(back_tokens), OF(back_rows), OF(scatter_gates),
    OF(scatter_inputs), OF(penalty_parts), OF(penalty_sum), OF(penalise), OF(squares), OF(gradient_norm), OF(update)};

size_t most_shared() { return plays("small") ? 99 << 10 : 227 << 10; }
size_t total_memory() { return plays("tight") ? 2 << 20 : size_t(4) << 30; }

std::mutex lock;
std::unordered_map<void*, size_t> held;
size_t used = 0;

}  // namespace

extern "C" {

int cuInit(unsigned) { return plays("none") ? NO_DEVICE : SUCCESS; }
int cuDriverGetVersion(int* version) { return *version = plays("old") ? 12040 : 13000, SUCCESS; }
int cuDeviceGetCount(int* count) { return *count = 1, SUCCESS; }
int cuDeviceGet(int* device, int index) { return *device = index, index == 0 ? SUCCESS : 101; }
int cuDeviceGetName(char* name, int capacity, int) { return snprintf(name, capacity, "emulated GPU"), SUCCESS; }
int cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = total_memory(), SUCCESS; }
int cuDeviceGetAttribute(int* value, int attribute, int) {
  switch (attribute) {
    case 16: return *value = plays("narrow") ? 1 : 64, SUCCESS;  // multiprocessors
    case 75: return *value = plays("turing") ? 7 : plays("small") ? 8 : 9, SUCCESS;  // compute capability
    case 76: return *value = plays("turing") ? 5 : plays("small") ? 9 : 0, SUCCESS;
    case 97: return *value = most_shared(), SUCCESS;  // shared memory a block, when it is asked for
  }
  return INVALID;
}
int cuDevicePrimaryCtxSetFlags_v2(int, unsigned) { return SUCCESS; }
int cuDevicePrimaryCtxRetain(void** context, int) { return *context = &used, SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
int cuCtxSetCurrent(void* context) { return context ? SUCCESS : INVALID; }
int cuStreamCreate(void** stream, unsigned) { return *stream = &used, SUCCESS; }
int cuStreamDestroy_v2(void*) { return SUCCESS; }
int cuStreamSynchronize(void*) { return SUCCESS; }
// What is there before something is written is NaN.
int cuMemAlloc_v2(void** memory, size_t bytes) {
  std::lock_guard<std::mutex> guard(lock);
  if (bytes == 0) return INVALID;
  if (bytes > total_memory() - used) return OUT_OF_MEMORY;
  *memory = malloc(bytes);
  if (!*memory) return OUT_OF_MEMORY;
  memset(*memory, 0xff, bytes);
  held[*memory] = bytes, used += bytes;
  return SUCCESS;
}
int cuMemFree_v2(void* memory) {
  std::lock_guard<std::mutex> guard(lock);
  const auto found = held.find(memory);
  if (found == held.end()) return INVALID;
  used -= found->second, held.erase(found), free(memory);
  return SUCCESS;
}
int cuMemcpyHtoDAsync_v2(void* to, const void* from, size_t bytes, void*) { return memcpy(to, from, bytes), SUCCESS; }
int cuMemcpyDtoHAsync_v2(void* to, const void* from, size_t bytes, void*) { return memcpy(to, from, bytes), SUCCESS; }
int cuModuleLoadData(void** module, const void* image) {
  return *module = kernels, !image || plays("refuses") ? BAD_IMAGE : SUCCESS;
}
int cuModuleUnload(void*) { return SUCCESS; }
int cuModuleGetFunction(void** function, void*, const char* name) {
  for (Kernel& kernel : kernels)
    if (strcmp(kernel.name, name) == 0) return *function = &kernel, SUCCESS;
  return NOT_FOUND;
}
int cuFuncSetAttribute(void* function, int attribute, int value) {
  if (attribute != 8 || size_t(value) > most_shared()) return INVALID;
  std::lock_guard<std::mutex> guard(lock);
  Kernel& kernel = *static_cast<Kernel*>(function);
  if (size_t(value) > kernel.shared) kernel.shared = value;
  return SUCCESS;
}
int cuLaunchKernel(void* function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned, unsigned,
                   unsigned shared, void*, void** arguments, void**) {
  const Kernel& kernel = *static_cast<const Kernel*>(function);
  if (x == 0 || y == 0 || z == 0 || y > 65535 || z > 65535 || threads > 1024 || shared > kernel.shared) return INVALID;
  const Step& step = *static_cast<const Step*>(arguments[0]);
  emulated::launch({x, y, z}, threads, shared, [&] { kernel.run(step); });
  return SUCCESS;
}
int cuGetErrorString(int error, const char** text) {
  *text = error == OUT_OF_MEMORY ? "out of memory"
          : error == NO_DEVICE   ? "no CUDA-capable device is detected"
          : error == BAD_IMAGE   ? "device kernel image is invalid"
                                 : "invalid argument";
  return SUCCESS;
}
// The size of a Step, for a test that compares it with the host's.
unsigned emulated_step_size() { return sizeof(Step); }

}  // extern "C"
