// What comes from the inputs: z = bias + weight_ih x, one ascending chain for each sum.
//
// A block has a tile of 64 rows and one panel: 16 units of 4 gates. A thread has one unit and 8 rows.
#include "tiles.h"

constexpr u32 PROJECT_PITCH = TILE + 4;  // of a column of inputs: few conflicts, and float4 stay aligned

// Adds the products of a tile of columns, of one gate (G below 4) or of all.
template <int G>
DEVICE void project_tile(const float* inputs, const float4* weights, u32 terms, float (&z)[8][4]) {
  const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
  for (u32 k = 0; k < terms; k++) {
    const float4 w = weights[k * GROUP + unit];
    const float4 low = *reinterpret_cast<const float4*>(inputs + k * PROJECT_PITCH + first);
    const float4 high = *reinterpret_cast<const float4*>(inputs + k * PROJECT_PITCH + first + 4);
    const float x[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
    for (int m = 0; m < 8; m++) {
      if (G == 0 || G == 4) z[m][0] = fmaf(x[m], w.x, z[m][0]);
      if (G == 1 || G == 4) z[m][1] = fmaf(x[m], w.y, z[m][1]);
      if (G == 2 || G == 4) z[m][2] = fmaf(x[m], w.z, z[m][2]);
      if (G == 3 || G == 4) z[m][3] = fmaf(x[m], w.w, z[m][3]);
    }
  }
}

template <int G, class From>
DEVICE void project_pass(const From& from, const Origin* origins, u32 panel, float* inputs, float4* weights,
                         float (&z)[8][4]) {
  const Step& s = from.s;
  for (u32 k0 = 0; k0 < s.features; k0 += TILE) {
    const u32 terms = s.features - k0 < TILE ? s.features - k0 : TILE;
    read_tile(from, origins, k0, s.features, G, [&](u32 row, u32 k, float value) { inputs[k * PROJECT_PITCH + row] = value; });
    for (u32 i = threadIdx.x; i < terms * GROUP; i += blockDim.x)
      weights[i] = gates_of(s.packed + weight_at(s, panel, k0 + i / GROUP) + i % GROUP);
    __syncthreads();
    project_tile<G>(inputs, weights, terms, z);
    __syncthreads();
  }
}

template <class From>
DEVICE void project(const From& from, u32 panel, float4* out, bool gate_by_gate) {
  const Step& s = from.s;
  float* inputs = pool();
  float4* weights = reinterpret_cast<float4*>(inputs + TILE * PROJECT_PITCH);
  Origin* origins = reinterpret_cast<Origin*>(weights + TILE * GROUP);
  find_origins(from, origins);
  const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
  const float4 bias = gates_of(s.packed + bias_at(s) + panel * PANEL + unit);
  float z[8][4];
#pragma unroll
  for (int m = 0; m < 8; m++) z[m][0] = bias.x, z[m][1] = bias.y, z[m][2] = bias.z, z[m][3] = bias.w;
  if (gate_by_gate) {
    project_pass<0>(from, origins, panel, inputs, weights, z);
    project_pass<1>(from, origins, panel, inputs, weights, z);
    project_pass<2>(from, origins, panel, inputs, weights, z);
    project_pass<3>(from, origins, panel, inputs, weights, z);
  } else {
    project_pass<4>(from, origins, panel, inputs, weights, z);
  }
#pragma unroll
  for (int m = 0; m < 8; m++)
    if (first + m < from.count)
      out[(u64)(from.first() + first + m) * width_of(s) + panel * GROUP + unit] = {z[m][0], z[m][1], z[m][2], z[m][3]};
}

// Grid: chunks of time steps, slabs, panels.
KERNEL(project_rows, 128, 1) {
  const RowSteps from = row_steps(s, blockIdx.y, blockIdx.x);
  if (from.count == 0) return;
  project(from, blockIdx.z, s.gates, s.input_gates == 4);
}

// Grid: tiles of tokens, 1, panels.
KERNEL(project_tokens, 128, 1) { project(some_tokens(s, blockIdx.x * TILE, TILE), blockIdx.z, s.products, false); }
