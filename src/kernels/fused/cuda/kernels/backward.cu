// Slabs back through all time steps: a block has a slab or a quarter of one, a warp a panel. Gates become their
// gradients in place.
//
// A thread has one unit and M rows of the cell. Of the states' gradients, each warp computes what its panel gives to
// all units, M rows and P units a thread, and the panels are added up in order. What the way forward left is read one
// time step ahead.
#include "activation.h"
#include "step.h"

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

// Of `count` row-steps from `at` on: gates, or carries; nothing of rows beyond.
template <int M>
DEVICE void read_gates(const Step& s, u32 at, u32 row, u32 count, u32 unit, float4 (&to)[M]) {
#pragma unroll
  for (int m = 0; m < M; m++) {
    to[m] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (row + m < count) to[m] = s.gates[(u64)(at + row + m) * width_of(s) + unit];
  }
}
template <int M>
DEVICE void read_cells(const Step& s, u32 at, u32 row, u32 count, u32 unit, float (&to)[M]) {
#pragma unroll
  for (int m = 0; m < M; m++) to[m] = row + m < count ? s.cells[(u64)(at + row + m) * width_of(s) + unit] : 0.0f;
}

// Shared: weight_hh [P][64][width + 1] (where it fits: SHARED), the gates' gradients [P][64][rows], and what each panel
// gives to the states' gradients [P][width][rows].
template <int P, int M, bool SHARED>
DEVICE void backward(const Step& s) {
  typedef Part<M> Of;
  constexpr u32 width = P * GROUP, pitch = width + 1, BLOCK_ROWS = Of::ROWS_OF_BLOCK;
  const Of own = Of::of(blockIdx.x, threadIdx.x);
  const Rows rows = rows_of(s, own.number);
  const Slab slab = rows.slab;
  const u32 panel = threadIdx.x / 32, lane = threadIdx.x % GROUP;
  const u32 unit = panel * GROUP + lane, first = own.first, row = own.base + first;
  if (own.base >= rows.active(0)) return;
  float* weights = pool();
  float* d_gates = pool() + (SHARED ? (P * PANEL * pitch + 3) / 4 * 4 : 0);
  float* parts = d_gates + P * PANEL * BLOCK_ROWS;
  if (SHARED)
    for (u32 i = threadIdx.x; i < P * PANEL * width; i += blockDim.x) {
      const u32 q = i % PANEL, of = i / PANEL % width, from = i / PANEL / width;
      weights[(from * PANEL + q) * pitch + of] = of < s.units ? s.packed[weight_at(s, from, s.features + of) + q] : 0.0f;
    }
  const float* far = s.packed + weight_at(s, panel, s.features);
  float d_state[M], d_carry[M];
#pragma unroll
  for (int m = 0; m < M; m++) d_state[m] = d_carry[m] = 0.0f;
  const u32 passes = s.state_gates ? 4 : 1, terms = PANEL / passes;
  // The last time step at which the block has a row.
  u32 t = slab.steps - 1;
  while (own.base >= rows.active(t)) t--;
  u32 end = rows.begin(t + 1), begin = rows.begin(t), before = t > 0 ? rows.begin(t - 1) : 0;
  u32 known = rows.begin(t + 2) - end;
  float4 gates[M], gates_ahead[M];
  float cells[M], cells_before[M], cells_ahead[M];
  read_gates(s, slab.first + begin, row, end - begin, unit, gates);
  read_cells(s, slab.first + begin, row, end - begin, unit, cells);
  read_cells(s, slab.first + before, row, t > 0 ? begin - before : 0, unit, cells_before);
  __syncthreads();
  for (;; t--) {
    const u32 at = slab.first + begin, active = end - begin;
    const u32 further = t > 1 ? rows.begin(t - 2) : 0;
    read_gates(s, slab.first + before, row, t > 0 ? begin - before : 0, unit, gates_ahead);
    read_cells(s, slab.first + further, row, t > 1 ? before - further : 0, unit, cells_ahead);
    float d[4][M];
#pragma unroll
    for (int m = 0; m < M; m++) {
      d[0][m] = d[1][m] = d[2][m] = d[3][m] = 0.0f;
      if (row + m >= active) continue;
      if (row + m >= known) d_state[m] = last_state(s, own.number, row + m, unit);
      const float4 g = gates[m];
      const float squashed = hyperbolic_tangent(cells[m]), slope = 1.0f - squashed * squashed;
      const float dc = fmaf(d_state[m] * g.w, slope, d_carry[m]);
      d[0][m] = flush(dc * g.z * (g.x * (1.0f - g.x)));
      d[1][m] = flush(dc * cells_before[m] * (g.y * (1.0f - g.y)));
      d[2][m] = flush(dc * g.x * (1.0f - g.z * g.z));
      d[3][m] = flush(d_state[m] * squashed * (g.w * (1.0f - g.w)));
      d_carry[m] = flush(dc * g.y);
      s.gates[(u64)(at + row + m) * width + unit] = {d[0][m], d[1][m], d[2][m], d[3][m]};
    }
    if (t == 0) return;
#pragma unroll
    for (int g = 0; g < 4; g++) write_rows(d_gates + (panel * PANEL + g * GROUP + lane) * BLOCK_ROWS + first, d[g]);
    __syncthreads();
    for (u32 pass = 0; pass < passes; pass++) {
      float part[P][M];
#pragma unroll
      for (int j = 0; j < P; j++)
#pragma unroll
        for (int m = 0; m < M; m++) part[j][m] = 0.0f;
#pragma unroll 2
      for (u32 q = pass * terms; q < (pass + 1) * terms; q++) {
        float gradient[M];
        read_rows(d_gates + (panel * PANEL + q) * BLOCK_ROWS + first, gradient);
#pragma unroll
        for (int j = 0; j < P; j++) {
          const u32 of = lane + j * GROUP;
          const float w = SHARED ? weights[(panel * PANEL + q) * pitch + of] : of < s.units ? far[of * PANEL + q] : 0.0f;
#pragma unroll
          for (int m = 0; m < M; m++) part[j][m] = fmaf(gradient[m], w, part[j][m]);
        }
      }
      if (pass > 0) __syncthreads();
#pragma unroll
      for (int j = 0; j < P; j++) write_rows(parts + (panel * width + lane + j * GROUP) * BLOCK_ROWS + first, part[j]);
      __syncthreads();
#pragma unroll
      for (int m = 0; m < M; m++) {
        const float* from = parts + unit * BLOCK_ROWS + first + m;
        float sum = from[0];
#pragma unroll
        for (int p = 1; p < P; p++) sum += from[p * width * BLOCK_ROWS];
        if (passes == 1) {
          d_state[m] = sum;
        } else {
          if (pass == 0) d_state[m] = 0.0f;
          if (row + m < active && unit < s.units)
            d_state[m] += sum * s.state_masks[((u64)s.positions[own.number * ROWS + row + m] * 4 + pass) * s.units + unit];
        }
      }
    }
#pragma unroll
    for (int m = 0; m < M; m++) gates[m] = gates_ahead[m], cells[m] = cells_before[m], cells_before[m] = cells_ahead[m];
    known = active, end = begin, begin = before, before = further;
  }
}

KERNEL(backward_1, 32) { backward<1, 8, true>(s); }
KERNEL(backward_2, 64) { backward<2, 8, true>(s); }
KERNEL(backward_3, 96) { backward<3, 8, true>(s); }
KERNEL(backward_4, 128) { backward<4, 8, true>(s); }
KERNEL(backward_5, 160) { backward<5, 8, true>(s); }
KERNEL(backward_6, 192) { backward<6, 8, true>(s); }
KERNEL(backward_5_global, 160) { backward<5, 8, false>(s); }
KERNEL(backward_6_global, 192) { backward<6, 8, false>(s); }
KERNEL(backward_7_global, 224) { backward<7, 8, false>(s); }
KERNEL(backward_1_quarter, 32) { backward<1, 2, true>(s); }
KERNEL(backward_2_quarter, 64) { backward<2, 2, true>(s); }
KERNEL(backward_3_quarter, 96) { backward<3, 2, true>(s); }
KERNEL(backward_4_quarter, 128) { backward<4, 2, true>(s); }
KERNEL(backward_5_quarter, 160) { backward<5, 2, true>(s); }
KERNEL(backward_6_quarter, 192) { backward<6, 2, true>(s); }
