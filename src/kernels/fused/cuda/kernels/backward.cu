// Slabs back through all time steps: a block has R rows of a slab. Gates become their gradients in place.
//
// A thread has the cells of one unit. Of the states' gradients, it computes what one panel gives to one unit, with the
// panel's weights in registers; the panels are added up in order. What the way forward left is read two time steps
// ahead.
#include "activation.h"
#include "step.h"

constexpr u32 GATES_PITCH = PANEL + GROUP;  // of a panel: units of two panels are in different banks

// Gradients below 2^-96 are 0.
DEVICE float flush(float x) { return fabsf(x) < 1.2621774e-29f ? 0.0f : x; }

// The gradient of a row's last state: that of each logit through the dense layer.
DEVICE float last_state(const Step& s, u32 slab, u32 row, u32 unit) {
  const float* d_logits = s.d_logits + (u64)(slab * ROWS + row) * s.outputs;
  const float* dense = s.packed + dense_at(s) + unit;
  float sum = d_logits[0] * dense[0];
  for (u32 k = 1; k < s.outputs; k++) sum = fmaf(d_logits[k], dense[k * width_of(s)], sum);
  return sum;
}

// What the way forward left of a cell.
struct Left {
  float4 gates;
  float cell;
};
// Of a row at the time step with the slab's row-steps from `begin` to `end`; nothing where the row has none.
DEVICE Left left_at(const Step& s, u32 first, u32 begin, u32 end, u32 row, u32 unit) {
  Left left = {{0.0f, 0.0f, 0.0f, 0.0f}, 0.0f};
  if (row < end - begin) {
    const u64 at = (u64)(first + begin + row) * width_of(s) + unit;
    left.gates = s.gates[at], left.cell = s.cells[at];
  }
  return left;
}

// P panels; thread (p, k) has what panel p gives to unit k, and the cells of unit k in the rows p, p + P, ... Shared:
// the gates' gradients [R][P][GATES_PITCH]; what panels give, [passes][P][R][width], where `passes` is 4 if masks make
// each gate see other states; and the rest of the weights (SHARED), which stay in the GPU's memory if they are too many.
template <int P, int R, int KEPT, bool SHARED>
DEVICE void backward(const Step& s) {
  constexpr u32 width = P * GROUP;
  constexpr int CELLS = (R + P - 1) / P;
  const u32 panel = threadIdx.x / width, unit = threadIdx.x % width;
  const u32 number = blockIdx.x / (ROWS / R), base = blockIdx.x % (ROWS / R) * R;
  const Rows rows = rows_of(s, number);
  const Slab slab = rows.slab;
  if (base >= rows.active(0)) return;
  const bool is_masked = s.state_gates > 0;
  float* d_gates = pool();
  float* parts = d_gates + R * P * GATES_PITCH;
  Weights<KEPT> w;
  const float4 none = {0.0f, 0.0f, 0.0f, 0.0f};
  const float4* own = reinterpret_cast<const float4*>(s.packed + weight_at(s, panel, s.features + unit));
  const bool is_unit = unit < s.units;
  if constexpr (SHARED) {
    float4* rest = reinterpret_cast<float4*>(parts + (is_masked ? 4 : 1) * P * R * width);
    w.template keep<PANEL / 4>(rest, [&](int q) { return is_unit ? own[q] : none; });
  } else {
    w.borrow(is_unit ? own : reinterpret_cast<const float4*>(s.packed));
  }
  // The last time step at which the block has a row.
  u32 t = slab.steps - 1;
  while (base >= rows.active(t)) t--;
  const auto begin_of = [&](u32 back) { return t >= back ? rows.begin(t - back) : 0; };
  u32 end = rows.begin(t + 1), begin = begin_of(0), before = begin_of(1), further = begin_of(2), known = rows.begin(t + 2) - end;
  // Of a thread's cells in the block; beyond the slab's rows where it has no more.
  const auto row_of = [&](int c) { return panel + c * P < R ? base + panel + c * P : ROWS; };
  float d_state[CELLS], d_carry[CELLS];
  Left now[CELLS], next[CELLS];
#pragma unroll
  for (int c = 0; c < CELLS; c++) {
    const u32 row = row_of(c);
    d_state[c] = d_carry[c] = 0.0f;
    now[c] = left_at(s, slab.first, begin, end, row, unit);
    next[c] = left_at(s, slab.first, before, begin, row, unit);
  }
  for (;; t--) {
    const u32 active = end - begin, beyond = begin_of(3);
#pragma unroll
    for (int c = 0; c < CELLS; c++) {
      const u32 row = row_of(c);
      const Left left = now[c];
      now[c] = next[c];  // of the time step before
      next[c] = left_at(s, slab.first, further, before, row, unit);
      if (row == ROWS) continue;
      float4 d = none;
      if (row < active) {
        const float4 g = left.gates;
        if (row >= known) d_state[c] = last_state(s, number, row, unit);
        const float squashed = hyperbolic_tangent(left.cell), slope = 1.0f - squashed * squashed;
        const float dc = fmaf(d_state[c] * g.w, slope, d_carry[c]);
        d.x = flush(dc * g.z * (g.x * (1.0f - g.x)));
        d.y = flush(dc * now[c].cell * (g.y * (1.0f - g.y)));
        d.z = flush(dc * g.x * (1.0f - g.z * g.z));
        d.w = flush(d_state[c] * squashed * (g.w * (1.0f - g.w)));
        d_carry[c] = flush(dc * g.y);
        s.gates[(u64)(slab.first + begin + row) * width + unit] = d;
      }
      float* to = d_gates + ((row - base) * P + unit / GROUP) * GATES_PITCH + unit % GROUP;
      to[0] = d.x, to[GROUP] = d.y, to[2 * GROUP] = d.z, to[3 * GROUP] = d.w;
    }
    if (t == 0) return;
    __syncthreads();
    float sum[R];
#pragma unroll
    for (int r = 0; r < R; r++) sum[r] = 0.0f;
    w.template each<PANEL / 4>([&](int q, float4 four) {
#pragma unroll
      for (int r = 0; r < R; r++) {
        const float4 d = *reinterpret_cast<const float4*>(d_gates + (r * P + panel) * GATES_PITCH + q * 4);
        sum[r] = fmaf(d.x, four.x, sum[r]), sum[r] = fmaf(d.y, four.y, sum[r]);
        sum[r] = fmaf(d.z, four.z, sum[r]), sum[r] = fmaf(d.w, four.w, sum[r]);
      }
      // A gate's sum ends after GROUP values.
      if (is_masked && q % 4 == 3) {
#pragma unroll
        for (int r = 0; r < R; r++) parts[((q / 4 * P + panel) * R + r) * width + unit] = is_unit ? sum[r] : 0.0f, sum[r] = 0.0f;
      }
    });
    if (!is_masked) {
#pragma unroll
      for (int r = 0; r < R; r++) parts[(panel * R + r) * width + unit] = is_unit ? sum[r] : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int c = 0; c < CELLS; c++) {
      const u32 row = row_of(c);
      if (row == ROWS) continue;
      const auto of_panels = [&](u32 pass) {
        const float* from = parts + (pass * P * R + row - base) * width + unit;
        float sum = from[0];
#pragma unroll
        for (int p = 1; p < P; p++) sum += from[p * R * width];
        return sum;
      };
      if (!is_masked) {
        d_state[c] = of_panels(0);
      } else {
        d_state[c] = 0.0f;
        if (row >= active || !is_unit) continue;
        const float* masks = s.state_masks + (u64)s.positions[number * ROWS + row] * 4 * s.units + unit;
        for (u32 pass = 0; pass < 4; pass++) d_state[c] += of_panels(pass) * masks[pass * s.units];
      }
    }
    known = active, end = begin, begin = before, before = further, further = beyond;
  }
}

#define BACKWARD(P, R, KEPT, BLOCKS) \
  KERNEL(backward_##P##_by_##R, P * P * GROUP, BLOCKS) { backward<P, R, KEPT, P < 7>(s); }
BACKWARD(1, 2, 16, 4)
BACKWARD(1, 4, 16, 4)
BACKWARD(2, 2, 16, 4)
BACKWARD(2, 4, 16, 4)
BACKWARD(3, 2, 16, 2)
BACKWARD(3, 4, 14, 2)
BACKWARD(4, 2, 16, 2)
BACKWARD(4, 4, 14, 2)
BACKWARD(5, 2, 14, 1)
BACKWARD(6, 2, 11, 1)
BACKWARD(7, 2, 4, 1)
