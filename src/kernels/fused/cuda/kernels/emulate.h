// CUDA's threads on the processor, as fibres of one of its threads: blocks run one after the other, and a thread
// of a block runs until it waits for others. A barrier that not all threads reach ends the program with a message.
// Memory is NaN before it is written, so what is read too early shows.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

#define DEVICE static inline
#define DEVICE_METHOD inline
#define KERNEL(name, threads, blocks) inline void name(const Step& s)
#define UNWATCHED __attribute__((no_sanitize("thread"), noinline))
typedef uint32_t u32;
typedef uint64_t u64;
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct Dim {
  u32 x = 1, y = 1, z = 1;
};

namespace emulated {

constexpr u32 WARP = 32;
constexpr size_t STACK = 128 << 10;
// Bytes behind shared memory that no block may change.
#if defined(__SANITIZE_ADDRESS__)
constexpr size_t GUARD = 0;
#else
constexpr size_t GUARD = 1 << 10;
#endif
enum class Waits { No, ForBlock, ForWarp };

// A copy that was asked for, and is done when a thread waits for its group.
struct Copy {
  float* to;
  const float* from;  // or null, for zeros
  u32 bytes, group;
};

struct Fibre {
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[STACK]};
  void* watched = nullptr;  // what ThreadSanitizer knows it by
  u32 thread = 0;
  Waits waits = Waits::No;
  u32 met[2] = {0, 0};  // barriers of its block and of its warp that it came to
  u32 exchanged = 0;
  std::vector<Copy> copies;
  u32 group = 0;
};

// What a warp's threads show each other; there are two of each, in turn, for those that are ahead.
struct Warp {
  u32 words[2][WARP];
  char barrier[2];
};

// One for each thread of the processor that launches kernels.
struct Machine {
  std::vector<std::unique_ptr<Fibre>> fibres;
  std::vector<Warp> warps;
  ucontext_t scheduler;
  void* watched = nullptr;
  Fibre* now = nullptr;
  Dim block, grid;
  u32 size = 0, next = 0, ended = 0;
  char barrier[2], start, end;
  float* pool = nullptr;
  const std::function<void()>* kernel = nullptr;
};

inline Machine& machine() {
  static thread_local Machine machine;
  return machine;
}

inline void arrives([[maybe_unused]] void* at) {
#if defined(__SANITIZE_THREAD__)
  __tsan_release(at);
#endif
}
inline void departs([[maybe_unused]] void* at) {
#if defined(__SANITIZE_THREAD__)
  __tsan_acquire(at);
#endif
}

UNWATCHED inline void to_scheduler(Fibre& fibre) {
  Machine& m = machine();
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(m.watched, 1);  // 1: no order of accesses follows from the switch
#endif
  swapcontext(&fibre.context, &m.scheduler);
}

UNWATCHED inline void wait(Waits what) {
  Machine& m = machine();
  Fibre& fibre = *m.now;
  const bool warp = what == Waits::ForWarp;
  char* barriers = warp ? m.warps[fibre.thread / WARP].barrier : m.barrier;
  char* at = barriers + fibre.met[warp]++ % 2;
  fibre.waits = what;
  arrives(at);
  to_scheduler(fibre);
  departs(at);
}

// A fibre runs threads until one of them waits, so a kernel without barriers needs one fibre.
UNWATCHED inline void entry() {
  Machine& m = machine();
  Fibre& fibre = *m.now;
  for (;;) {
    fibre.thread = m.next++;
    fibre.waits = Waits::No;
    fibre.met[0] = fibre.met[1] = fibre.exchanged = fibre.group = 0;
    fibre.copies.clear();
    departs(&m.start);
    (*m.kernel)();
    arrives(&m.end);
    m.ended++;
#if defined(__SANITIZE_THREAD__)
    break;  // each thread is a fibre, or accesses of two would seem ordered
#endif
    if (m.next == m.size) break;
  }
  fibre.thread = ~0u;
  to_scheduler(fibre);
}

UNWATCHED inline void resume(Fibre& fibre) {
  Machine& m = machine();
  m.now = &fibre;
#if defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(fibre.watched, 1);
#endif
  swapcontext(&m.scheduler, &fibre.context);
}

UNWATCHED inline void start_fibre(u32 index) {
  Machine& m = machine();
  if (index == m.fibres.size()) m.fibres.emplace_back(new Fibre);
  Fibre& fibre = *m.fibres[index];
  getcontext(&fibre.context);
  fibre.context.uc_stack.ss_sp = fibre.stack.get();
  fibre.context.uc_stack.ss_size = STACK;
  fibre.context.uc_link = nullptr;
  makecontext(&fibre.context, entry, 0);
#if defined(__SANITIZE_THREAD__)
  if (!fibre.watched) fibre.watched = __tsan_create_fiber(0);  // to make one takes long: they are kept
#endif
  resume(fibre);
}

UNWATCHED inline void run_block() {
  Machine& m = machine();
  m.next = m.ended = 0;
  m.warps.assign((m.size + WARP - 1) / WARP, Warp());
#if defined(__SANITIZE_THREAD__)
  m.watched = __tsan_get_current_fiber();
#endif
  arrives(&m.start);
  u32 live = 0;
  while (m.next < m.size) start_fibre(live++);
  std::vector<Fibre*> of(m.size, nullptr);  // the fibre of each thread that has not ended
  while (m.ended < m.size) {
    std::fill(of.begin(), of.end(), nullptr);
    for (u32 i = 0; i < live; i++)
      if (m.fibres[i]->thread < m.size) of[m.fibres[i]->thread] = m.fibres[i].get();
    bool moved = false;
    const auto release = [&](u32 from, u32 to, Waits what) {
      for (u32 i = from; i < to; i++)
        if (!of[i] || of[i]->waits != what) return;
      for (u32 i = from; i < to; i++) of[i]->waits = Waits::No;
      moved = true;
    };
    for (u32 first = 0; first < m.size; first += WARP)
      release(first, first + WARP < m.size ? first + WARP : m.size, Waits::ForWarp);
    release(0, m.size, Waits::ForBlock);
    if (!moved) {
      fprintf(stderr, "emulated GPU: not all threads of block %u reach the same barrier\n", m.block.x);
      abort();
    }
    for (u32 i = 0; i < live; i++)
      if (m.fibres[i]->thread < m.size && m.fibres[i]->waits == Waits::No) resume(*m.fibres[i]);
  }
  departs(&m.end);
}

// kernel<<<grid, threads, bytes>>>(...), where `kernel` is a closure that calls it.
inline void launch(Dim grid, u32 threads, size_t bytes, const std::function<void()>& kernel) {
  Machine& m = machine();
  m.grid = grid, m.size = threads, m.kernel = &kernel;
  for (u32 z = 0; z < grid.z; z++)
    for (u32 y = 0; y < grid.y; y++)
      for (u32 x = 0; x < grid.x; x++) {
        m.block.x = x, m.block.y = y, m.block.z = z;
        // Exactly as long as was asked for, so that AddressSanitizer sees what lies beyond; else a guard does.
        const size_t size = bytes == 0 ? 16 : (bytes + 15) / 16 * 16;
        m.pool = static_cast<float*>(aligned_alloc(16, size + GUARD));
        memset(m.pool, 0xff, bytes);
        char* guard = reinterpret_cast<char*>(m.pool) + bytes;
        memset(guard, 0x5a, size - bytes + GUARD);
        run_block();
        for (size_t i = 0; i < size - bytes + GUARD; i++)
          if (guard[i] != 0x5a) {
            fprintf(stderr, "emulated GPU: a block writes beyond its %zu bytes of shared memory\n", bytes);
            abort();
          }
        free(m.pool);
      }
}

UNWATCHED inline u32 exchange(u32 word, u32 lane) {
  Machine& m = machine();
  Fibre& fibre = *m.now;
  u32* words = m.warps[fibre.thread / WARP].words[fibre.exchanged++ % 2];
  words[fibre.thread % WARP] = word;
  wait(Waits::ForWarp);
  return words[lane];
}
UNWATCHED inline Dim thread() {
  Dim at;
  at.x = machine().now->thread;
  return at;
}
UNWATCHED inline Dim block() { return machine().block; }
UNWATCHED inline Dim grid() { return machine().grid; }
UNWATCHED inline Dim size() {
  Dim size;
  size.x = machine().size;
  return size;
}
UNWATCHED inline float* memory() { return machine().pool; }

}  // namespace emulated

#define threadIdx (emulated::thread())
#define blockIdx (emulated::block())
#define blockDim (emulated::size())
#define gridDim (emulated::grid())
inline void __syncthreads() { emulated::wait(emulated::Waits::ForBlock); }
inline void __syncwarp() { emulated::wait(emulated::Waits::ForWarp); }
DEVICE float* pool() { return emulated::memory(); }
template <int BYTES>
DEVICE void copy_later(float* to, const float* from, bool is_there) {
  emulated::Fibre& fibre = *emulated::machine().now;
  fibre.copies.push_back({to, is_there ? from : nullptr, BYTES, fibre.group});
}
DEVICE void end_group() { emulated::machine().now->group++; }
template <int LEFT>
DEVICE void wait_for_groups() {
  emulated::Fibre& fibre = *emulated::machine().now;
  size_t done = 0;
  for (; done < fibre.copies.size() && fibre.copies[done].group + LEFT < fibre.group; done++) {
    const emulated::Copy& copy = fibre.copies[done];
    if (copy.from) memcpy(copy.to, copy.from, copy.bytes);
    else memset(copy.to, 0, copy.bytes);
  }
  fibre.copies.erase(fibre.copies.begin(), fibre.copies.begin() + done);
}
DEVICE u32 bits_of(float x) {
  u32 bits;
  memcpy(&bits, &x, 4);
  return bits;
}
DEVICE float of_bits(u32 bits) {
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
DEVICE float divide(float a, float b) { return a / b; }
inline float __shfl_xor_sync(u32, float value, u32 mask) {
  return of_bits(emulated::exchange(bits_of(value), (threadIdx.x % emulated::WARP) ^ mask));
}
