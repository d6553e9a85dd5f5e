// Stands in for NVIDIA's driver where there is none, to try what the program says of a driver that has no
// device, is too old for libtorch, or cannot start for want of memory. It computes nothing.
//
//   c++ -shared -fPIC -Wl,-soname,libcuda.so.1 -o FOLDER/libcuda.so.1 scripts/gpu/libcuda_stub.cpp
//   STUB_DRIVER=old LD_LIBRARY_PATH=FOLDER batchscope run experiments/quickstart.yaml --device cuda
//
// STUB_DRIVER is `none` (no device; also when it is not set), `old` (a driver of CUDA 12.4), or `memory`.
// A driver that shows a device cannot be made this way: CUDA's runtime checks that it is NVIDIA's.

#include <cstdlib>
#include <cstring>

namespace {

enum Result { kSuccess = 0, kOutOfMemory = 2, kNoDevice = 100, kNotSupported = 801 };

bool plays(const char* part) {
  const char* asked = getenv("STUB_DRIVER");
  return strcmp(asked ? asked : "none", part) == 0;
}

int init(unsigned) { return plays("old") ? kSuccess : plays("memory") ? kOutOfMemory : kNoDevice; }
int version(int* version) { return *version = plays("old") ? 12040 : 13000, kSuccess; }
int refuse() { return kNotSupported; }

}  // namespace

extern "C" {

int cuInit(unsigned flags) { return init(flags); }
int cuDriverGetVersion(int* number) { return version(number); }
int cuDeviceGetCount(int* count) { return *count = 0, kSuccess; }

int cuGetErrorString(int error, const char** text) {
  *text = error == kNoDevice ? "no CUDA-capable device is detected" : error == kOutOfMemory ? "out of memory" : "not supported";
  return kSuccess;
}

// CUDA's runtime asks for all functions in this way. What it calls beyond these is refused.
int cuGetProcAddress_v2(const char* name, void** function, int, unsigned long long, int* status) {
  if (status) *status = 0;
  *function = reinterpret_cast<void*>(strcmp(name, "cuInit") == 0               ? reinterpret_cast<void (*)()>(&init)
                                      : strcmp(name, "cuDriverGetVersion") == 0 ? reinterpret_cast<void (*)()>(&version)
                                      : strcmp(name, "cuGetProcAddress") == 0   ? reinterpret_cast<void (*)()>(&cuGetProcAddress_v2)
                                                                                : reinterpret_cast<void (*)()>(&refuse));
  return kSuccess;
}

}  // extern "C"
