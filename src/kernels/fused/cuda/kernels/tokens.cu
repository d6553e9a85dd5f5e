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
  const float4 none = {0.0f, 0.0f, 0.0f, 0.0f};
  __syncthreads();
  copy<ROWS * GROUP, float4>(
      [&](u32 i) {
        const u32 r = row + i / GROUP;
        return r < from.count ? gates[(u64)(from.first() + r) * width_of(s) + panel * GROUP + i % GROUP] : none;
      },
      [&](u32 i, float4 found) {
        float* to = d_gates + i % GROUP * ROWS + i / GROUP;
        to[0] = found.x, to[GROUP * ROWS] = found.y, to[2 * GROUP * ROWS] = found.z, to[3 * GROUP * ROWS] = found.w;
      });
  copy<PANEL * TILE, float>(
      [&](u32 i) { return column + i / PANEL < s.features ? s.packed[weight_at(s, panel, column + i / PANEL) + i % PANEL] : 0.0f; },
      [&](u32 i, float weight) { weights[i % PANEL * BACK_PITCH + i / PANEL] = weight; });
  __syncthreads();
#pragma unroll
  for (int m = 0; m < 8; m++) sum[m] = 0.0f;
#pragma unroll 4
  for (u32 q = q0; q < q0 + terms; q++) {
    const float w = weights[q * BACK_PITCH + own];
    float d[8];
    read_eight(d_gates + q * ROWS + first, d);
#pragma unroll
    for (int m = 0; m < 8; m++) sum[m] = fmaf(d[m], w, sum[m]);
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

// The gates' gradients of each token's row-steps, added in their order: one value a thread. A frequent token has
// thousands of them, so 32 are on their way at a time, and the numbers of the next 32. Grid: tokens.
KERNEL(scatter_gates, 448, 1) {
  constexpr u32 SOME = 32;
  const u32 pitch = 4 * width_of(s), end = s.firsts[blockIdx.x + 1];
  float* to = reinterpret_cast<float*>(s.d_products) + (u64)blockIdx.x * pitch + threadIdx.x;
  const float* gates = reinterpret_cast<const float*>(s.gates) + threadIdx.x;
  float sum = s.is_first ? 0.0f : *to;
  u32 i = s.firsts[blockIdx.x], numbers[SOME];
#pragma unroll
  for (u32 n = 0; n < SOME; n++) numbers[n] = i + n < end ? s.occurrences[i + n] : 0;
  while (i < end) {
    const u32 some = end - i < SOME ? end - i : SOME;
    float found[SOME];
#pragma unroll
    for (u32 n = 0; n < SOME; n++)
      if (n < some) found[n] = gates[(u64)numbers[n] * pitch];
    i += some;
#pragma unroll
    for (u32 n = 0; n < SOME; n++) numbers[n] = i + n < end ? s.occurrences[i + n] : 0;
#pragma unroll
    for (u32 n = 0; n < SOME; n++)
      if (n < some) sum += found[n];
  }
  *to = sum;
}

// The same of the gradients of inputs. Grid: tokens.
KERNEL(scatter_inputs, 64, 1) {
  const u32 token = blockIdx.x;
  for (u32 column = threadIdx.x; column < s.input_width; column += blockDim.x) {
    float* to = s.d_vectors + (u64)token * s.input_width + column;
    float sum = s.is_first ? 0.0f : *to;
    for (u32 i = s.firsts[token]; i < s.firsts[token + 1]; i++) sum += s.d_inputs[(u64)s.occurrences[i] * s.input_width + column];
    *to = sum;
  }
}
