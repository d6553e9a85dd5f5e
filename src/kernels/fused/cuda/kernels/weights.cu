// The gradients of weights: sums over row-steps, or over different tokens, of inputs times the gates' gradients.
//
// Each sum is a chain from the last row to the first of a chunk, from 0; the chunks are added up in order. A block
// has 64 columns of inputs and two panels. A thread has 8 columns and two units, of one panel each: of all gates, or,
// where masks make each gate see other inputs, of one.
#include "tiles.h"

constexpr u32 WEIGHTS_PITCH = TILE + 4;
constexpr u32 LINES = 32;        // rows at a time
constexpr u32 UNITS = 2 * GROUP; // of two panels

// Shared: inputs [LINES][64 columns], gradients [LINES][UNITS][N].
template <int N>
struct Product {
  float total[8][2 * N], sum[8][2 * N];
  float* inputs;
  float* d_gates;
  Origin* origins;

  DEVICE_METHOD void begin() {
    inputs = pool(), d_gates = inputs + LINES * WEIGHTS_PITCH;
    origins = reinterpret_cast<Origin*>(d_gates + LINES * UNITS * 4);
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < 2 * N; n++) total[k][n] = 0.0f;
    clear();
  }
  DEVICE_METHOD void clear() {
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < 2 * N; n++) sum[k][n] = 0.0f;
  }
  DEVICE_METHOD void row(u32 at) {
    const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
    float x[8], d[2 * N];
    read_eight(inputs + at * WEIGHTS_PITCH + first, x);
#pragma unroll
    for (int u = 0; u < 2; u++) {
      const u32 place = at * UNITS + u * GROUP + unit;
      if constexpr (N == 4) {
        const float4 found = reinterpret_cast<const float4*>(d_gates)[place];
        d[u * N] = found.x, d[u * N + 1] = found.y, d[u * N + 2] = found.z, d[u * N + 3] = found.w;
      } else {
        d[u] = d_gates[place];
      }
    }
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < 2 * N; n++) sum[k][n] = fmaf(x[k], d[n], sum[k][n]);
  }
  // Goes on with a tile of rows, from the last to the first.
  template <class From>
  DEVICE_METHOD void tile(const From& from, const float4* gates, u32 panel, u32 column, u32 columns, u32 gate) {
    const Step& s = from.s;
    const float4 none = {0.0f, 0.0f, 0.0f, 0.0f};
    find_origins(from, origins);
    for (u32 part = (from.count + LINES - 1) / LINES; part-- > 0;) {
      const u32 base = part * LINES, count = from.count - base < LINES ? from.count - base : LINES;
      read_tile<LINES, TILE>(from, origins, base, column, columns, gate, [&](u32 row, u32 k, float value) { inputs[row * WEIGHTS_PITCH + k] = value; });
      copy<LINES * UNITS, float4>(
          [&](u32 i) {
            const u32 of = panel * GROUP + i % UNITS;
            return i / UNITS < count && of < width_of(s) ? gates[(u64)(from.first() + base + i / UNITS) * width_of(s) + of] : none;
          },
          [&](u32 i, float4 found) {
            if constexpr (N == 4) reinterpret_cast<float4*>(d_gates)[i] = found;
            else d_gates[i] = gate == 0 ? found.x : gate == 1 ? found.y : gate == 2 ? found.z : found.w;
          });
      __syncthreads();
      if (count == LINES) {
#pragma unroll 4
        for (u32 at = LINES; at-- > 0;) row(at);
      } else {
        for (u32 at = count; at-- > 0;) row(at);
      }
      __syncthreads();
    }
  }
  DEVICE_METHOD void add() {
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < 2 * N; n++) total[k][n] += sum[k][n];
    clear();
  }
  DEVICE_METHOD void store(const Step& s, float* to, u32 panel, u32 column, u32 columns, u32 gate) const {
    const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
#pragma unroll
    for (int k = 0; k < 8; k++) {
#pragma unroll
      for (int u = 0; u < 2; u++) {
        if (column + first + k >= columns || panel + u >= s.panels) continue;
        float* at = to + weight_at(s, panel + u, column + first + k) + unit;
#pragma unroll
        for (int n = 0; n < N; n++) at[(N == 4 ? n : gate) * GROUP] = total[k][u * N + n];
      }
    }
  }
};

// The gradient of two panels' biases: over the time steps from the last to the first, the rows of each in their order.
// A thread has one gate of one unit.
DEVICE void bias_of_rows(const Step& s, u32 number, u32 panel) {
  const u32 of = threadIdx.x / PANEL, gate = threadIdx.x % PANEL / GROUP, unit = threadIdx.x % GROUP;
  float4* tile = reinterpret_cast<float4*>(pool());
  const float4 none = {0.0f, 0.0f, 0.0f, 0.0f};
  float sum = 0.0f;
  for (u32 chunk = (s.slabs[number].steps + CHUNK - 1) / CHUNK; chunk-- > 0;) {
    const RowSteps from = row_steps(s, number, chunk);
    __syncthreads();
    copy<TILE * UNITS, float4>(
        [&](u32 i) {
          const u32 column = panel * GROUP + i % UNITS;
          return i / UNITS < from.count && column < width_of(s) ? s.gates[(u64)(from.first() + i / UNITS) * width_of(s) + column] : none;
        },
        [&](u32 i, float4 found) { tile[i] = found; });
    __syncthreads();
    const u32* offsets = from.rows.offsets;
    const u32 last = from.start + CHUNK < from.rows.slab.steps ? from.start + CHUNK : from.rows.slab.steps;
    for (u32 t = last; t-- > from.start;)
      for (u32 i = offsets[t] - offsets[from.start]; i < offsets[t + 1] - offsets[from.start]; i++)
        sum += reinterpret_cast<const float*>(tile + i * UNITS + of * GROUP + unit)[gate];
  }
  if (panel + of < s.panels) s.slab_gradients[(u64)number * s.len + bias_at(s) + (panel + of) * PANEL + gate * GROUP + unit] = sum;
}

template <int N>
DEVICE void weights_of_rows(const Step& s, u32 panel, u32 gate) {
  // The biases' blocks take longest, and come first.
  const u32 number = blockIdx.x / (s.pieces + 1), place = blockIdx.x % (s.pieces + 1);
  if (place == 0) {
    if (blockIdx.z == 0 && gate == 0) bias_of_rows(s, number, panel);
    return;
  }
  const u32 columns = columns_of(s), column = (s.table ? s.features : 0) + blockIdx.z * TILE, piece = place - 1;
  const u32 chunks = (s.slabs[number].steps + CHUNK - 1) / CHUNK;
  // With pieces, a chunk each; else all of them, from the last to the first.
  if (s.pieces > 1 && piece >= chunks) return;
  u32 chunk = s.pieces > 1 ? piece + 1 : chunks;
  const u32 end = s.pieces > 1 ? piece : 0;
  Product<N> product;
  product.begin();
  while (chunk-- > end) {
    product.tile(row_steps(s, number, chunk), s.gates, panel, column, columns, gate);
    product.add();
  }
  float* to = s.pieces > 1 ? s.chunk_sums + (u64)(number * s.pieces + piece) * s.len : s.slab_gradients + (u64)number * s.len;
  product.store(s, to, panel, column, columns, gate);
}

// Grid: slabs' biases and pieces, pairs of panels, tiles of columns.
KERNEL(weights_rows, 128, 2) { weights_of_rows<4>(s, blockIdx.y * 2, 0); }
// Grid: slabs' biases and pieces, pairs of panels and gates, tiles of columns.
KERNEL(weights_rows_masked, 128, 3) { weights_of_rows<1>(s, blockIdx.y / 4 * 2, blockIdx.y % 4); }

// Whether a weight's gradient comes from the tokens.
DEVICE bool is_of_tokens(const Step& s, u32 at) { return at < bias_at(s) && at / PANEL % columns_of(s) < s.features; }

// The sums of a slab's pieces, from the last to the first. Grid: weights, slabs.
KERNEL(add_pieces, 256, 1) {
  const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= bias_at(s) || (s.table && is_of_tokens(s, at))) return;
  const float* from = s.chunk_sums + (u64)blockIdx.y * s.pieces * s.len + at;
  float sum = 0.0f;
  for (u32 left = (s.slabs[blockIdx.y].steps + CHUNK - 1) / CHUNK; left > 0;) {
    const u32 some = left < 8 ? left : 8;
    float found[8];
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (n < some) found[n] = from[(u64)(left - 1 - n) * s.len];
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (n < some) sum += found[n];
    left -= some;
  }
  s.slab_gradients[(u64)blockIdx.y * s.len + at] = sum;
}

// Of a chunk of tokens, which is two tiles; the later one comes first. Grid: chunks, pairs of panels, tiles of columns.
KERNEL(weights_tokens, 128, 3) {
  const u32 column = blockIdx.z * TILE, start = blockIdx.x * TOKEN_CHUNK, panel = blockIdx.y * 2;
  Product<4> product;
  product.begin();
  if (start + TILE < s.tokens_count)
    product.tile(some_tokens(s, start + TILE, TILE), s.d_products, panel, column, s.features, 0);
  product.tile(some_tokens(s, start, TILE), s.d_products, panel, column, s.features, 0);
  product.add();
  product.store(s, s.chunk_sums + (u64)blockIdx.x * s.len, panel, column, s.features, 0);
}

// The sums of the chunks of tokens, in their order.
KERNEL(add_tokens, 256, 1) {
  const u32 at = blockIdx.x * blockDim.x + threadIdx.x, chunks = (s.tokens_count + TOKEN_CHUNK - 1) / TOKEN_CHUNK;
  if (!is_of_tokens(s, at)) return;
  float sum = 0.0f;
  for (u32 chunk = 0; chunk < chunks; chunk += 8) {
    float found[8];
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (chunk + n < chunks) found[n] = s.chunk_sums[(u64)(chunk + n) * s.len + at];
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (chunk + n < chunks) sum += found[n];
  }
  s.gradient[at] = sum;
}

// The slabs' gradients, added in their order. Those of weight_ih come from the tokens where there is a table.
KERNEL(add_up, 256, 1) {
  const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= s.len || (s.table && is_of_tokens(s, at))) return;
  float sum = s.gradient[at];
  for (u32 slab = 0; slab < s.slab_count; slab++) sum += s.slab_gradients[(u64)slab * s.len + at];
  s.gradient[at] = sum;
}
