// What comes from the inputs: z = bias + weight_ih x, one ascending chain for each sum.
//
// A block has a tile of 64 rows and two panels: 32 units of 4 gates. A thread has two units, of one panel each, and
// every eighth row. 32 columns of inputs are multiplied while the next 32 are copied to shared memory.
#include "tiles.h"

constexpr u32 TERMS = 32;  // columns of inputs at a time
constexpr u32 PROJECT_PITCH = TERMS + 4;  // of a row of inputs: two neighbours are in different banks

// Of one stage, in shared memory.
struct Terms {
  float inputs[TILE * PROJECT_PITCH];
  float weights[TERMS][2][PANEL];
};

// Begins to copy the columns from `column` on, with their weights.
template <class From>
DEVICE void fetch_terms(const From& from, const Origin* origins, u32 panel, u32 column, Terms& to) {
  const Step& s = from.s;
  if (column < s.features) {
    copy_rows_later<TILE, TERMS>(from, origins, 0, column, s.features, to.inputs, PROJECT_PITCH);
#pragma unroll
    for (u32 i = threadIdx.x * 4; i < TERMS * 2 * PANEL; i += 4 * 128) {
      const u32 k = column + i / (2 * PANEL), of = panel + i / PANEL % 2;
      const bool is_there = k < s.features && of < s.panels;
      copy_later<16>(&to.weights[0][0][i], is_there ? s.packed + weight_at(s, of, k) + i % PANEL : s.packed, is_there);
    }
  }
  end_group();
}

// Adds the products of a stage, of one gate (G below 4) or of all.
template <int G>
DEVICE void project_terms(const Terms& terms, u32 count, float4 (&z)[8][2]) {
  const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP;
  const auto add = [&](u32 k, const float (&x)[8]) {
#pragma unroll
    for (int u = 0; u < 2; u++) {
      const float4 w = gates_of(&terms.weights[k][u][unit]);
#pragma unroll
      for (int m = 0; m < 8; m++) {
        if (G == 0 || G == 4) z[m][u].x = fmaf(x[m], w.x, z[m][u].x);
        if (G == 1 || G == 4) z[m][u].y = fmaf(x[m], w.y, z[m][u].y);
        if (G == 2 || G == 4) z[m][u].z = fmaf(x[m], w.z, z[m][u].z);
        if (G == 3 || G == 4) z[m][u].w = fmaf(x[m], w.w, z[m][u].w);
      }
    }
  };
  const float* inputs = terms.inputs + first * PROJECT_PITCH;
#pragma unroll 2
  for (u32 k = 0; k < count / 2 * 2; k += 2) {
    float even[8], odd[8];
#pragma unroll
    for (int m = 0; m < 8; m++) {
      const float2 both = *reinterpret_cast<const float2*>(inputs + m * 8 * PROJECT_PITCH + k);
      even[m] = both.x, odd[m] = both.y;
    }
    add(k, even);
    add(k + 1, odd);
  }
  if (count % 2 == 1) {
    float x[8];
#pragma unroll
    for (int m = 0; m < 8; m++) x[m] = inputs[m * 8 * PROJECT_PITCH + count - 1];
    add(count - 1, x);
  }
}

// Shared: two stages, and the origins of the rows.
template <int G, class From>
DEVICE void project_pass(const From& from, u32 panel, float4 (&z)[8][2]) {
  const Step& s = from.s;
  Terms* stages = reinterpret_cast<Terms*>(pool());
  const Origin* origins = reinterpret_cast<const Origin*>(stages + 2);
  fetch_terms(from, origins, panel, 0, stages[0]);
  fetch_terms(from, origins, panel, TERMS, stages[1]);
  for (u32 column = 0; column < s.features; column += TERMS) {
    Terms& terms = stages[column / TERMS % 2];
    wait_for_groups<1>();
    if (from.is_masked()) mask_rows<TILE, TERMS>(from, origins, 0, column, s.features, G, terms.inputs, PROJECT_PITCH);
    __syncthreads();
    project_terms<G>(terms, s.features - column < TERMS ? s.features - column : TERMS, z);
    __syncthreads();
    fetch_terms(from, origins, panel, column + 2 * TERMS, terms);
  }
}

// Of the panels `panel` and, if there is one, the next.
template <class From>
DEVICE void project(const From& from, u32 panel, float4* out, bool gate_by_gate) {
  const Step& s = from.s;
  find_origins(from, reinterpret_cast<Origin*>(reinterpret_cast<Terms*>(pool()) + 2));
  const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP;
  float4 z[8][2];
#pragma unroll
  for (int u = 0; u < 2; u++) {
    const float4 none = {0.0f, 0.0f, 0.0f, 0.0f};
    const float4 bias = panel + u < s.panels ? gates_of(s.packed + bias_at(s) + (panel + u) * PANEL + unit) : none;
#pragma unroll
    for (int m = 0; m < 8; m++) z[m][u] = bias;
  }
  __syncthreads();
  if (gate_by_gate) {
    project_pass<0>(from, panel, z);
    project_pass<1>(from, panel, z);
    project_pass<2>(from, panel, z);
    project_pass<3>(from, panel, z);
  } else {
    project_pass<4>(from, panel, z);
  }
#pragma unroll
  for (int m = 0; m < 8; m++)
#pragma unroll
    for (int u = 0; u < 2; u++)
      if (first + m * 8 < from.count && panel + u < s.panels)
        out[(u64)(from.first() + first + m * 8) * width_of(s) + (panel + u) * GROUP + unit] = z[m][u];
}

// Grid: chunks of time steps, slabs, pairs of panels.
KERNEL(project_rows, 128, 3) {
  const RowSteps from = row_steps(s, blockIdx.y, blockIdx.x);
  if (from.count == 0) return;
  project(from, blockIdx.z * 2, s.gates, s.input_gates == 4);
}

// Grid: tiles of tokens, 1, pairs of panels.
KERNEL(project_tokens, 128, 3) { project(some_tokens(s, blockIdx.x * TILE, TILE), blockIdx.z * 2, s.products, false); }
