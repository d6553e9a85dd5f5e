// A slab through all time steps, forward: one block, one warp a panel. A thread has one unit and 8 of the 16 rows.
//
// Each gate's sum goes on from what the input gave, over the states before, ascending.
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

// Shared: weight_hh [H][width] of 4 gates (where it fits: SHARED), and states [2][width][16], one in turn read and
// one written.
template <bool SHARED, bool MASKED>
DEVICE void forward(const Step& s) {
  typedef State<MASKED> Seen;
  typedef typename Seen::Kind Kind;
  const Rows rows = rows_of(s, blockIdx.x);
  const Slab slab = rows.slab;
  const u32 width = width_of(s), panel = threadIdx.x / 32, lane = threadIdx.x % GROUP;
  const u32 unit = panel * GROUP + lane, first = threadIdx.x % 32 / GROUP * 8;
  float4* weights = reinterpret_cast<float4*>(pool());
  Kind* states = reinterpret_cast<Kind*>(pool() + (SHARED ? 4 * s.units * width : 0));
  const float* own = s.packed + weight_at(s, panel, s.features) + lane;
  if (SHARED)
    for (u32 i = threadIdx.x; i < s.units * width; i += blockDim.x) {
      const u32 k = i / width, of = i % width;
      weights[i] = gates_of(s.packed + weight_at(s, of / GROUP, s.features + k) + of % GROUP);
    }
  float carry[8];
#pragma unroll
  for (int m = 0; m < 8; m++) {
    carry[m] = 0.0f;
    const u32 row = first + m;
    if (row < slab.rows && row >= rows.active(0)) s.last[(blockIdx.x * ROWS + row) * width + unit] = 0.0f;
  }
  __syncthreads();
  for (u32 t = 0; t < slab.steps; t++) {
    const u32 at = slab.first + rows.offsets[t], active = rows.active(t), go_on = rows.active(t + 1);
    float4 z[8];
#pragma unroll
    for (int m = 0; m < 8; m++) {
      const u32 row = at + first + m;
      z[m] = {0.0f, 0.0f, 0.0f, 0.0f};
      if (first + m < active)
        z[m] = s.table ? s.products[(u64)s.numbers[row] * width + unit] : s.gates[(u64)row * width + unit];
    }
    if (t > 0) {
      const Kind* before = states + (t & 1) * width * ROWS + first;
#pragma unroll 4
      for (u32 k = 0; k < s.units; k++) {
        const float4 w = SHARED ? weights[k * width + unit] : gates_of(own + k * PANEL);
        Kind state[8];
        if constexpr (MASKED) {
#pragma unroll
          for (int m = 0; m < 8; m++) state[m] = before[k * ROWS + m];
        } else {
          const float4 low = *reinterpret_cast<const float4*>(before + k * ROWS);
          const float4 high = *reinterpret_cast<const float4*>(before + k * ROWS + 4);
          state[0] = low.x, state[1] = low.y, state[2] = low.z, state[3] = low.w;
          state[4] = high.x, state[5] = high.y, state[6] = high.z, state[7] = high.w;
        }
#pragma unroll
        for (int m = 0; m < 8; m++) {
          const float4 h = Seen::of(state[m]);
          z[m].x = fmaf(h.x, w.x, z[m].x), z[m].y = fmaf(h.y, w.y, z[m].y);
          z[m].z = fmaf(h.z, w.z, z[m].z), z[m].w = fmaf(h.w, w.w, z[m].w);
        }
      }
    }
    Kind* after = states + (((t + 1) & 1) * width + unit) * ROWS + first;
#pragma unroll
    for (int m = 0; m < 8; m++) {
      const u32 row = first + m;
      const float4 g = {sigmoid(z[m].x), sigmoid(z[m].y), hyperbolic_tangent(z[m].z), sigmoid(z[m].w)};
      carry[m] = fmaf(g.y, carry[m], g.x * g.z);
      const float state = g.w * hyperbolic_tangent(carry[m]);
      if (row < active) {
        const u64 to = (u64)(at + row) * width + unit;
        s.gates[to] = g, s.cells[to] = carry[m], s.states[to] = state;
        if (row >= go_on) s.last[(blockIdx.x * ROWS + row) * width + unit] = state;
      }
      if constexpr (MASKED) {
        float4 seen = {state, state, state, state};
        if (row < active && unit < s.units) {
          const float* mask = s.state_masks + (u64)s.positions[blockIdx.x * ROWS + row] * 4 * s.units + unit;
          seen.x *= mask[0], seen.y *= mask[s.units], seen.z *= mask[2 * s.units], seen.w *= mask[3 * s.units];
        }
        after[m] = seen;
      } else {
        after[m] = state;
      }
    }
    __syncthreads();
  }
}

KERNEL(forward_plain, 224) { forward<true, false>(s); }
KERNEL(forward_masked, 224) { forward<true, true>(s); }
KERNEL(forward_plain_global, 224) { forward<false, false>(s); }
KERNEL(forward_masked_global, 224) { forward<false, true>(s); }
