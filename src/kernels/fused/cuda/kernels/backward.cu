// A slab back through all time steps: one block, one warp a panel. Gates become their gradients in place.
//
// A thread has one unit and 8 rows of the cell. Of the states' gradients, each warp computes what its panel gives to
// all units, 8 rows and P units a thread, and the panels are added up in order.
#include "activation.h"
#include "step.h"

// Gradients below 2^-96 are 0.
DEVICE float flush(float x) { return fabsf(x) < 1.2621774e-29f ? 0.0f : x; }

// The gradient of a row's last state: that of each logit through the dense layer.
DEVICE float last_state(const Step& s, u32 row, u32 unit) {
  const float* d_logits = s.d_logits + (u64)(blockIdx.x * ROWS + row) * s.outputs;
  const float* dense = s.packed + dense_at(s) + unit;
  float sum = d_logits[0] * dense[0];
  for (u32 k = 1; k < s.outputs; k++) sum = fmaf(d_logits[k], dense[k * width_of(s)], sum);
  return sum;
}

// Shared: weight_hh [P][64][width + 1] (where it fits: SHARED), the gates' gradients [P][64][16 rows], and what each
// panel gives to the states' gradients [P][width][16].
template <int P, bool SHARED>
DEVICE void backward(const Step& s) {
  constexpr u32 width = P * GROUP, pitch = width + 1;
  const Rows rows = rows_of(s, blockIdx.x);
  const Slab slab = rows.slab;
  const u32 panel = threadIdx.x / 32, lane = threadIdx.x % GROUP;
  const u32 unit = panel * GROUP + lane, first = threadIdx.x % 32 / GROUP * 8;
  float* weights = pool();
  float* d_gates = pool() + (SHARED ? (P * PANEL * pitch + 3) / 4 * 4 : 0);
  float* parts = d_gates + P * PANEL * ROWS;
  if (SHARED)
    for (u32 i = threadIdx.x; i < P * PANEL * width; i += blockDim.x) {
      const u32 q = i % PANEL, of = i / PANEL % width, from = i / PANEL / width;
      weights[(from * PANEL + q) * pitch + of] = of < s.units ? s.packed[weight_at(s, from, s.features + of) + q] : 0.0f;
    }
  const float* far = s.packed + weight_at(s, panel, s.features);
  float d_state[8], d_carry[8];
#pragma unroll
  for (int m = 0; m < 8; m++) d_state[m] = d_carry[m] = 0.0f;
  float d_bias[2] = {0.0f, 0.0f};
  const u32 passes = s.state_gates ? 4 : 1, terms = PANEL / passes;
  __syncthreads();
  for (u32 t = slab.steps; t-- > 0;) {
    const u32 at = slab.first + rows.offsets[t], active = rows.active(t), known = rows.active(t + 1);
    const u32 before = t > 0 ? slab.first + rows.offsets[t - 1] : 0;
    float d[4][8];
#pragma unroll
    for (int m = 0; m < 8; m++) {
      const u32 row = first + m;
      d[0][m] = d[1][m] = d[2][m] = d[3][m] = 0.0f;
      if (row >= active) continue;
      if (row >= known) d_state[m] = last_state(s, row, unit);
      const u64 place = (u64)(at + row) * width + unit;
      const float4 g = s.gates[place];
      const float squashed = hyperbolic_tangent(s.cells[place]);
      const float earlier = t > 0 ? s.cells[(u64)(before + row) * width + unit] : 0.0f;
      const float slope = 1.0f - squashed * squashed;
      const float dc = fmaf(d_state[m] * g.w, slope, d_carry[m]);
      d[0][m] = flush(dc * g.z * (g.x * (1.0f - g.x)));
      d[1][m] = flush(dc * earlier * (g.y * (1.0f - g.y)));
      d[2][m] = flush(dc * g.x * (1.0f - g.z * g.z));
      d[3][m] = flush(d_state[m] * squashed * (g.w * (1.0f - g.w)));
      d_carry[m] = flush(dc * g.y);
      s.gates[place] = {d[0][m], d[1][m], d[2][m], d[3][m]};
    }
#pragma unroll
    for (int g = 0; g < 4; g++) {
      float4* to = reinterpret_cast<float4*>(d_gates + (panel * PANEL + g * GROUP + lane) * ROWS + first);
      to[0] = {d[g][0], d[g][1], d[g][2], d[g][3]}, to[1] = {d[g][4], d[g][5], d[g][6], d[g][7]};
    }
    __syncthreads();
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
      for (u32 row = 0; row < ROWS; row++) d_bias[n] += d_gates[(threadIdx.x + n * 32 * P) * ROWS + row];
    if (t == 0) break;
    for (u32 pass = 0; pass < passes; pass++) {
      float part[P][8];
#pragma unroll
      for (int j = 0; j < P; j++)
#pragma unroll
        for (int m = 0; m < 8; m++) part[j][m] = 0.0f;
#pragma unroll 2
      for (u32 q = pass * terms; q < (pass + 1) * terms; q++) {
        const float4* from = reinterpret_cast<const float4*>(d_gates + (panel * PANEL + q) * ROWS + first);
        const float4 low = from[0], high = from[1];
        const float row[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
        for (int j = 0; j < P; j++) {
          const u32 of = lane + j * GROUP;
          const float w = SHARED ? weights[(panel * PANEL + q) * pitch + of] : of < s.units ? far[of * PANEL + q] : 0.0f;
#pragma unroll
          for (int m = 0; m < 8; m++) part[j][m] = fmaf(row[m], w, part[j][m]);
        }
      }
      if (pass > 0) __syncthreads();
#pragma unroll
      for (int j = 0; j < P; j++) {
        float4* to = reinterpret_cast<float4*>(parts + (panel * width + lane + j * GROUP) * ROWS + first);
        to[0] = {part[j][0], part[j][1], part[j][2], part[j][3]}, to[1] = {part[j][4], part[j][5], part[j][6], part[j][7]};
      }
      __syncthreads();
#pragma unroll
      for (int m = 0; m < 8; m++) {
        const float* from = parts + unit * ROWS + first + m;
        float sum = from[0];
#pragma unroll
        for (int p = 1; p < P; p++) sum += from[p * width * ROWS];
        if (passes == 1) {
          d_state[m] = sum;
        } else {
          const u32 row = first + m;
          if (pass == 0) d_state[m] = 0.0f;
          if (row < active && unit < s.units)
            d_state[m] += sum * s.state_masks[((u64)s.positions[blockIdx.x * ROWS + row] * 4 + pass) * s.units + unit];
        }
      }
    }
  }
  float* gradient = s.slab_gradients + (u64)blockIdx.x * s.len + bias_at(s);
  gradient[threadIdx.x] = d_bias[0], gradient[threadIdx.x + 32 * P] = d_bias[1];
}

KERNEL(backward_1, 32) { backward<1, true>(s); }
KERNEL(backward_2, 64) { backward<2, true>(s); }
KERNEL(backward_3, 96) { backward<3, true>(s); }
KERNEL(backward_4, 128) { backward<4, true>(s); }
KERNEL(backward_5, 160) { backward<5, true>(s); }
KERNEL(backward_6, 192) { backward<6, true>(s); }
KERNEL(backward_5_global, 160) { backward<5, false>(s); }
KERNEL(backward_6_global, 192) { backward<6, false>(s); }
KERNEL(backward_7_global, 224) { backward<7, false>(s); }
