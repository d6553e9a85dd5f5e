// What comes from the inputs: z = bias + weight_ih x, one ascending chain for each sum.
//
// A block has a tile of 64 rows and two panels: 32 units of 4 gates. A thread has two units, of one panel each, and 8
// rows.
#include "tiles.h"

constexpr u32 PROJECT_PITCH = TILE + 4;  // of a column of inputs: few conflicts, and float4 stay aligned
constexpr u32 TERMS = 32;                // columns of inputs at a time
constexpr u32 PAIR = 2 * GROUP;          // units of two panels

// Adds the products of a tile of columns, of one gate (G below 4) or of all.
template <int G>
DEVICE void project_tile(const float* inputs, const float4* weights, u32 terms, float4 (&z)[8][2]) {
  const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
#pragma unroll 4
  for (u32 k = 0; k < terms; k++) {
    float x[8];
    read_eight(inputs + k * PROJECT_PITCH + first, x);
#pragma unroll
    for (int u = 0; u < 2; u++) {
      const float4 w = weights[k * PAIR + u * GROUP + unit];
#pragma unroll
      for (int m = 0; m < 8; m++) {
        if (G == 0 || G == 4) z[m][u].x = fmaf(x[m], w.x, z[m][u].x);
        if (G == 1 || G == 4) z[m][u].y = fmaf(x[m], w.y, z[m][u].y);
        if (G == 2 || G == 4) z[m][u].z = fmaf(x[m], w.z, z[m][u].z);
        if (G == 3 || G == 4) z[m][u].w = fmaf(x[m], w.w, z[m][u].w);
      }
    }
  }
}

template <int G, class From>
DEVICE void project_pass(const From& from, const Origin* origins, u32 panel, float* inputs, float4* weights,
                         float4 (&z)[8][2]) {
  const Step& s = from.s;
  const float4 none = {0.0f, 0.0f, 0.0f, 0.0f};
  for (u32 k0 = 0; k0 < s.features; k0 += TERMS) {
    const u32 terms = s.features - k0 < TERMS ? s.features - k0 : TERMS;
    read_tile<TILE, TERMS>(from, origins, 0, k0, s.features, G, [&](u32 row, u32 k, float value) { inputs[k * PROJECT_PITCH + row] = value; });
    copy<TERMS * PAIR, float4>(
        [&](u32 i) {
          const u32 k = i / PAIR, of = panel + i % PAIR / GROUP;
          return k < terms && of < s.panels ? gates_of(s.packed + weight_at(s, of, k0 + k) + i % GROUP) : none;
        },
        [&](u32 i, float4 four) { weights[i] = four; });
    __syncthreads();
    project_tile<G>(inputs, weights, terms, z);
    __syncthreads();
  }
}

// Of the panels `panel` and, if there is one, the next.
template <class From>
DEVICE void project(const From& from, u32 panel, float4* out, bool gate_by_gate) {
  const Step& s = from.s;
  float* inputs = pool();
  float4* weights = reinterpret_cast<float4*>(inputs + TERMS * PROJECT_PITCH);
  Origin* origins = reinterpret_cast<Origin*>(weights + TERMS * PAIR);
  find_origins(from, origins);
  const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
  float4 z[8][2];
#pragma unroll
  for (int u = 0; u < 2; u++) {
    const float4 bias = panel + u < s.panels ? gates_of(s.packed + bias_at(s) + (panel + u) * PANEL + unit) : float4{0.0f, 0.0f, 0.0f, 0.0f};
#pragma unroll
    for (int m = 0; m < 8; m++) z[m][u] = bias;
  }
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
#pragma unroll
    for (int u = 0; u < 2; u++)
      if (first + m < from.count && panel + u < s.panels)
        out[(u64)(from.first() + first + m) * width_of(s) + (panel + u) * GROUP + unit] = z[m][u];
}

// Grid: chunks of time steps, slabs, pairs of panels.
KERNEL(project_rows, 128, 3) {
  const RowSteps from = row_steps(s, blockIdx.y, blockIdx.x);
  if (from.count == 0) return;
  project(from, blockIdx.z * 2, s.gates, s.input_gates == 4);
}

// Grid: tiles of tokens, 1, pairs of panels.
KERNEL(project_tokens, 128, 3) { project(some_tokens(s, blockIdx.x * TILE, TILE), blockIdx.z * 2, s.products, false); }
