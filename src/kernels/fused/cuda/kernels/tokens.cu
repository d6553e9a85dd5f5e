// Gradients of the vectors of tokens: back through weight_ih, and sums over the row-steps of each token.
//
// A block of the products has 16 rows and 64 columns, a thread 8 rows and one column. Each panel's sum is a chain
// from 0; the panels are added up in order.
#include "tiles.h"

// Shared: gates' gradients [64][16 rows], weights [64][65].
constexpr u32 BACK_PITCH = TILE + 1;

template <class From>
DEVICE void back_panel(const From& from, const float4* gates, u32 panel, u32 row, u32 column, u32 q0, u32 terms, float (&sum)[8]) {
  const Step& s = from.s;
  float* d_gates = pool();
  float* weights = d_gates + PANEL * ROWS;
  const u32 own = threadIdx.x % TILE, first = threadIdx.x / TILE * 8;
  __syncthreads();
  for (u32 i = threadIdx.x; i < ROWS * GROUP; i += blockDim.x) {
    float4 found = {0.0f, 0.0f, 0.0f, 0.0f};
    const u32 r = i / GROUP, n = i % GROUP;
    if (row + r < from.count) found = gates[(u64)(from.first() + row + r) * width_of(s) + panel * GROUP + n];
    d_gates[n * ROWS + r] = found.x, d_gates[(GROUP + n) * ROWS + r] = found.y;
    d_gates[(2 * GROUP + n) * ROWS + r] = found.z, d_gates[(3 * GROUP + n) * ROWS + r] = found.w;
  }
  for (u32 i = threadIdx.x; i < PANEL * TILE; i += blockDim.x) {
    const u32 q = i % PANEL, k = i / PANEL;
    weights[q * BACK_PITCH + k] = column + k < s.features ? s.packed[weight_at(s, panel, column + k) + q] : 0.0f;
  }
  __syncthreads();
#pragma unroll
  for (int m = 0; m < 8; m++) sum[m] = 0.0f;
  for (u32 q = q0; q < q0 + terms; q++) {
    const float w = weights[q * BACK_PITCH + own];
#pragma unroll
    for (int m = 0; m < 8; m++) sum[m] = fmaf(d_gates[q * ROWS + first + m], w, sum[m]);
  }
}

// All panels, of the gates from q0 on.
template <class From>
DEVICE void back(const From& from, const float4* gates, u32 row, u32 column, u32 q0, u32 terms, float (&total)[8]) {
  for (u32 panel = 0; panel < from.s.panels; panel++) {
    float sum[8];
    back_panel(from, gates, panel, row, column, q0, terms, sum);
#pragma unroll
    for (int m = 0; m < 8; m++) total[m] = panel == 0 ? sum[m] : total[m] + sum[m];
  }
}

// Grid: sixteens of tokens, tiles of columns.
KERNEL(back_tokens, 128, 1) {
  const Tokens from = some_tokens(s, blockIdx.x * ROWS, ROWS);
  const u32 column = blockIdx.y * TILE + threadIdx.x % TILE, first = threadIdx.x / TILE * 8;
  float total[8];
  back(from, s.d_products, 0, blockIdx.y * TILE, 0, PANEL, total);
#pragma unroll
  for (int m = 0; m < 8; m++)
    if (first + m < from.count && column < s.input_width) s.d_vectors[(u64)(from.start + first + m) * s.input_width + column] = total[m];
}

// With masks of inputs each row-step sees its token's vector in its own way. Grid: chunks of time steps times four,
// slabs, tiles of columns.
KERNEL(back_rows, 128, 1) {
  const RowSteps from = row_steps(s, blockIdx.y, blockIdx.x / 4);
  const u32 row = blockIdx.x % 4 * ROWS;
  if (row >= from.count) return;
  const u32 column = blockIdx.z * TILE + threadIdx.x % TILE, first = threadIdx.x / TILE * 8;
  const u32 passes = s.input_gates, terms = PANEL / passes;
  float total[8];
#pragma unroll
  for (int m = 0; m < 8; m++) total[m] = 0.0f;
  for (u32 pass = 0; pass < passes; pass++) {
    float part[8];
    back(from, s.gates, row, blockIdx.z * TILE, pass * terms, terms, part);
#pragma unroll
    for (int m = 0; m < 8; m++) {
      const u32 i = row + first + m;
      if (i >= from.count || column >= s.features) continue;
      u32 step, place;
      from.place(i, step, place);
      total[m] += part[m] * from.input_mask(place, column, pass);
    }
  }
#pragma unroll
  for (int m = 0; m < 8; m++) {
    const u32 i = row + first + m;
    if (i < from.count && column < s.input_width) s.d_inputs[(u64)(from.first() + i) * s.input_width + column] = total[m];
  }
}

// The gates' gradients of each token's row-steps, added in their order. Grid: tokens.
KERNEL(scatter_gates, 112, 1) {
  const u32 token = blockIdx.x, unit = threadIdx.x, width = width_of(s);
  float4* to = s.d_products + (u64)token * width + unit;
  float4 sum = *to;
  const u32 end = s.firsts[token + 1];
  for (u32 i = s.firsts[token]; i < end; i += 8) {
    float4 d[8];
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (i + n < end) d[n] = s.gates[(u64)s.occurrences[i + n] * width + unit];
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (i + n < end) sum.x += d[n].x, sum.y += d[n].y, sum.z += d[n].z, sum.w += d[n].w;
  }
  *to = sum;
}

// The same of the gradients of inputs. Grid: tokens.
KERNEL(scatter_inputs, 64, 1) {
  const u32 token = blockIdx.x;
  for (u32 column = threadIdx.x; column < s.input_width; column += blockDim.x) {
    float* to = s.d_vectors + (u64)token * s.input_width + column;
    float sum = *to;
    for (u32 i = s.firsts[token]; i < s.firsts[token + 1]; i++) sum += s.d_inputs[(u64)s.occurrences[i] * s.input_width + column];
    *to = sum;
  }
}
