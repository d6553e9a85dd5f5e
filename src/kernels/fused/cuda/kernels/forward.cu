// Slabs through all time steps, forward: a block has a slab or a quarter of one, a warp a panel, a thread one unit of M
// rows.
//
// Each gate's sum goes on from what the input gave, over the states before, ascending. What the input gave is read one
// time step ahead.
#include "activation.h"
#include "step.h"

// What the product with a state reads: the state, or, with masks, as each gate sees it.
template <bool MASKED>
struct State {
  typedef float Kind;
  DEVICE_METHOD static float4 of(float state) { return {state, state, state, state}; }
};
template <>
struct State<true> {
  typedef float4 Kind;
  DEVICE_METHOD static float4 of(float4 state) { return state; }
};

// What the input gave to `count` row-steps from `at` on; nothing to rows beyond.
template <int M>
DEVICE void read_inputs(const Step& s, u32 at, u32 row, u32 count, u32 unit, float4 (&z)[M]) {
  const u32 width = width_of(s);
#pragma unroll
  for (int m = 0; m < M; m++) {
    z[m] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (row + m < count) {
      const u32 place = at + row + m;
      z[m] = s.table ? s.products[(u64)s.numbers[place] * width + unit] : s.gates[(u64)place * width + unit];
    }
  }
}

// Shared: weight_hh [H][width] of 4 gates (where it fits: SHARED), and states [2][width][rows], one in turn read and
// one written.
template <int M, bool SHARED, bool MASKED>
DEVICE void forward(const Step& s) {
  typedef State<MASKED> Seen;
  typedef typename Seen::Kind Kind;
  typedef Part<M> Of;
  constexpr u32 BLOCK_ROWS = Of::ROWS_OF_BLOCK;
  const Of part = Of::of(blockIdx.x, threadIdx.x);
  const Rows rows = rows_of(s, part.number);
  const Slab slab = rows.slab;
  const u32 width = width_of(s), panel = threadIdx.x / 32, lane = threadIdx.x % GROUP;
  const u32 unit = panel * GROUP + lane, row = part.base + part.first;
  float4* weights = reinterpret_cast<float4*>(pool());
  Kind* states = reinterpret_cast<Kind*>(pool() + (SHARED ? 4 * s.units * width : 0));
  const float* own = s.packed + weight_at(s, panel, s.features) + lane;
  float carry[M];
#pragma unroll
  for (int m = 0; m < M; m++) {
    carry[m] = 0.0f;
    if (row + m < slab.rows && row + m >= rows.active(0)) s.last[(part.number * ROWS + row + m) * width + unit] = 0.0f;
  }
  if (part.base >= rows.active(0)) return;
  if (SHARED)
    for (u32 i = threadIdx.x; i < s.units * width; i += blockDim.x) {
      const u32 k = i / width, of = i % width;
      weights[i] = gates_of(s.packed + weight_at(s, of / GROUP, s.features + k) + of % GROUP);
    }
  __syncthreads();
  u32 begin = rows.begin(0), end = rows.begin(1), after = rows.begin(2);
  float4 ahead[M];
  read_inputs(s, slab.first + begin, row, end - begin, unit, ahead);
  for (u32 t = 0; t < slab.steps; t++) {
    const u32 at = slab.first + begin, active = end - begin, go_on = after - end, later = rows.begin(t + 3);
    if (part.base >= active) break;
    float4 z[M];
#pragma unroll
    for (int m = 0; m < M; m++) z[m] = ahead[m];
    read_inputs(s, slab.first + end, row, go_on, unit, ahead);
    if (t > 0) {
      const Kind* before = states + (t & 1) * width * BLOCK_ROWS + part.first;
#pragma unroll 4
      for (u32 k = 0; k < s.units; k++) {
        const float4 w = SHARED ? weights[k * width + unit] : gates_of(own + k * PANEL);
        Kind state[M];
        if constexpr (MASKED) {
#pragma unroll
          for (int m = 0; m < M; m++) state[m] = before[k * BLOCK_ROWS + m];
        } else {
          read_rows(before + k * BLOCK_ROWS, state);
        }
#pragma unroll
        for (int m = 0; m < M; m++) {
          const float4 h = Seen::of(state[m]);
          z[m].x = fmaf(h.x, w.x, z[m].x), z[m].y = fmaf(h.y, w.y, z[m].y);
          z[m].z = fmaf(h.z, w.z, z[m].z), z[m].w = fmaf(h.w, w.w, z[m].w);
        }
      }
    }
    Kind* next = states + (((t + 1) & 1) * width + unit) * BLOCK_ROWS + part.first;
#pragma unroll
    for (int m = 0; m < M; m++) {
      const float4 g = {sigmoid(z[m].x), sigmoid(z[m].y), hyperbolic_tangent(z[m].z), sigmoid(z[m].w)};
      carry[m] = fmaf(g.y, carry[m], g.x * g.z);
      const float state = g.w * hyperbolic_tangent(carry[m]);
      if (row + m < active) {
        const u64 to = (u64)(at + row + m) * width + unit;
        s.gates[to] = g, s.cells[to] = carry[m], s.states[to] = state;
        if (row + m >= go_on) s.last[(part.number * ROWS + row + m) * width + unit] = state;
      }
      if constexpr (MASKED) {
        float4 seen = {state, state, state, state};
        if (row + m < active && unit < s.units) {
          const float* mask = s.state_masks + (u64)s.positions[part.number * ROWS + row + m] * 4 * s.units + unit;
          seen.x *= mask[0], seen.y *= mask[s.units], seen.z *= mask[2 * s.units], seen.w *= mask[3 * s.units];
        }
        next[m] = seen;
      } else {
        next[m] = state;
      }
    }
    __syncthreads();
    begin = end, end = after, after = later;
  }
}

KERNEL(forward_plain, 224) { forward<8, true, false>(s); }
KERNEL(forward_masked, 224) { forward<8, true, true>(s); }
KERNEL(forward_plain_global, 224) { forward<8, false, false>(s); }
KERNEL(forward_masked_global, 224) { forward<8, false, true>(s); }
KERNEL(forward_plain_quarter, 224) { forward<2, true, false>(s); }
KERNEL(forward_masked_quarter, 224) { forward<2, true, true>(s); }
