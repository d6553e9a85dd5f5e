// The gradients of weights: sums over row-steps, or over different tokens, of inputs times the gates' gradients.
//
// Each sum is a chain from the last row to the first of a chunk, from 0; the chunks are added up in order. A block
// has 64 columns of inputs and one panel. A thread has 8 columns and one unit: of all gates, or, where masks make
// each gate see other inputs, of one.
#include "tiles.h"

constexpr u32 WEIGHTS_PITCH = TILE + 4;

// Shared: inputs [64 rows][64 columns], gradients [64 rows][16 units][N].
template <int N>
struct Product {
  float total[8][N], sum[8][N];
  float* inputs;
  float* d_gates;
  Origin* origins;

  DEVICE_METHOD void begin() {
    inputs = pool(), d_gates = inputs + TILE * WEIGHTS_PITCH;
    origins = reinterpret_cast<Origin*>(d_gates + TILE * PANEL);
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < N; n++) total[k][n] = 0.0f;
    clear();
  }
  DEVICE_METHOD void clear() {
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < N; n++) sum[k][n] = 0.0f;
  }
  // Goes on with a tile of rows, from the last to the first.
  template <class From>
  DEVICE_METHOD void tile(const From& from, const float4* gates, u32 panel, u32 column, u32 columns, u32 gate) {
    const Step& s = from.s;
    const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
    find_origins(from, origins);
    for (u32 i = threadIdx.x; i < from.count * TILE; i += blockDim.x) {
      const u32 row = i / TILE, k = column + i % TILE;
      inputs[row * WEIGHTS_PITCH + i % TILE] = k < columns ? from.value(origins[row], k, gate) : 0.0f;
    }
    for (u32 i = threadIdx.x; i < from.count * GROUP; i += blockDim.x) {
      const float4 found = gates[(u64)(from.first() + i / GROUP) * width_of(s) + panel * GROUP + i % GROUP];
      if constexpr (N == 4) reinterpret_cast<float4*>(d_gates)[i] = found;
      else d_gates[i] = gate == 0 ? found.x : gate == 1 ? found.y : gate == 2 ? found.z : found.w;
    }
    __syncthreads();
    for (u32 row = from.count; row-- > 0;) {
      const float4* at = reinterpret_cast<const float4*>(inputs + row * WEIGHTS_PITCH + first);
      const float4 low = at[0], high = at[1];
      const float x[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
      float d[N];
      if constexpr (N == 4) {
        const float4 found = reinterpret_cast<const float4*>(d_gates)[row * GROUP + unit];
        d[0] = found.x, d[1] = found.y, d[2] = found.z, d[3] = found.w;
      } else {
        d[0] = d_gates[row * GROUP + unit];
      }
#pragma unroll
      for (int k = 0; k < 8; k++)
#pragma unroll
        for (int n = 0; n < N; n++) sum[k][n] = fmaf(x[k], d[n], sum[k][n]);
    }
    __syncthreads();
  }
  DEVICE_METHOD void add() {
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < N; n++) total[k][n] += sum[k][n];
    clear();
  }
  DEVICE_METHOD void store(const Step& s, float* to, u32 panel, u32 column, u32 columns, u32 gate) const {
    const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
#pragma unroll
    for (int k = 0; k < 8; k++) {
      if (column + first + k >= columns) continue;
      float* at = to + weight_at(s, panel, column + first + k) + unit;
#pragma unroll
      for (int n = 0; n < N; n++) at[(N == 4 ? n : gate) * GROUP] = total[k][n];
    }
  }
};

template <int N>
DEVICE void weights_of_rows(const Step& s, u32 panel, u32 gate) {
  const u32 columns = columns_of(s), column = (s.table ? s.features : 0) + blockIdx.z * TILE;
  const u32 steps = s.slabs[blockIdx.x].steps;
  Product<N> product;
  product.begin();
  for (u32 chunk = (steps + CHUNK - 1) / CHUNK; chunk-- > 0;) {
    product.tile(row_steps(s, blockIdx.x, chunk), s.gates, panel, column, columns, gate);
    product.add();
  }
  product.store(s, s.slab_gradients + (u64)blockIdx.x * s.len, panel, column, columns, gate);
}

// Grid: slabs, panels, tiles of columns.
KERNEL(weights_rows, 128) { weights_of_rows<4>(s, blockIdx.y, 0); }
// Grid: slabs, panels and gates, tiles of columns.
KERNEL(weights_rows_masked, 128) { weights_of_rows<1>(s, blockIdx.y / 4, blockIdx.y % 4); }

// Grid: 1, panels, tiles of columns.
KERNEL(weights_tokens, 128) {
  const u32 column = blockIdx.z * TILE;
  Product<4> product;
  product.begin();
  for (u32 start = 0; start < s.tokens_count; start += TOKEN_CHUNK) {
    // A chunk is two tiles; the later one comes first.
    if (start + TILE < s.tokens_count)
      product.tile(some_tokens(s, start + TILE, TILE), s.d_products, blockIdx.y, column, s.features, 0);
    product.tile(some_tokens(s, start, TILE), s.d_products, blockIdx.y, column, s.features, 0);
    product.add();
  }
  product.store(s, s.gradient, blockIdx.y, column, s.features, 0);
}

// The slabs' gradients, added in their order. Those of weight_ih come from the tokens where there is a table.
KERNEL(add_up, 256) {
  const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= s.len) return;
  if (s.table && at < bias_at(s) && at / PANEL % columns_of(s) < s.features) return;
  float sum = s.gradient[at];
  for (u32 slab = 0; slab < s.slab_count; slab++) sum += s.slab_gradients[(u64)slab * s.len + at];
  s.gradient[at] = sum;
}
