// What every kernel is given: one step of one run. `cuda/step.rs` has the same, field by field.
//
// Shapes: F features, H units, P = ceil(H / 16) panels, width = 16 P, K outputs, V tokens of the vocabulary,
// U different tokens of the step, S slabs and R row-steps of a launch. Weights lie as `layout.rs` says; gates are
// float4 (i f g o), one a unit. A slab's row-steps are numbered time step by time step, as `batch.rs` says.
#pragma once
#include "gpu.h"

constexpr u32 GROUP = 16;        // units of a panel
constexpr u32 PANEL = 64;        // its gates
constexpr u32 ROWS = 16;         // rows of a slab, at most
constexpr u32 CHUNK = 4;         // time steps whose gradients of weights are added up from 0
constexpr u32 TOKEN_CHUNK = 128; // different tokens of which the same is true
constexpr u32 TILE = 64;         // rows, and columns, of a tile of a product
constexpr u32 BLOCK = 1024;      // values whose squares are summed together

struct Slab {
  u32 first;    // its first row-step
  u32 steps;    // T of its longest row
  u32 rows;     // at most ROWS
  u32 offsets;  // where its T + 1 offsets stand among `offsets`
};

struct Step {
  // What the host made of the step's rows.
  const Slab* slabs;           // [S]
  const u32* offsets;          // the first row-step of each time step, counted from the slab's first
  const u32* rows;             // [S][16] numbers in the split
  const u32* positions;        // [S][16] places among the rows that were asked for
  const float* targets;        // [S][16]
  const float* shares;         // [S][16] what a row counts: its weight over B
  const u32* numbers;          // [R] of each row-step's token among the different ones; null for features
  const u32* tokens;           // [U]
  const u32* firsts;           // [U + 1] where each token's occurrences begin
  const u32* occurrences;      // [R] row-steps, ascending for each token
  const float* input_masks;    // [B][input_gates][F]
  const float* state_masks;    // [B][4][H]
  // What stays on the device.
  const float* values;         // features [N][T][F], or the embedding [V][F]
  float* packed;               // the weights
  float* moments[2];           // as the weights
  float* embedding;            // [V][F]
  float* embedding_moments[2]; // as the embedding
  u64* slots;                  // [V] the stamp of the last step that had the token, times 2^32, and its number there
  // What is computed.
  float4* gates;               // [R][width] i f g o, then their gradients
  float* cells;                // [R][width]
  float* states;               // [R][width]
  float* last;                 // [S][16][width] each row's last state
  float* d_logits;             // [S][16][K]
  float* slab_gradients;       // [S][len]
  float* gradient;             // [len]
  float4* products;            // [U][width] weight_ih vector + bias, once for each token
  float4* d_products;          // [U][width]
  float* d_vectors;            // [U][input_width]
  float* d_inputs;             // [R][input_width]
  float* chunk_sums;           // [S][pieces][len], or [chunks of tokens][len]: sums that are added up afterwards
  double* squares;             // one a block of values
  double* parts;               // [2 P + 1] penalties
  float* logits;               // [B][K]
  float* norm;
  double* penalty;
  // Penalties on the weights of inputs and of states, and on the bias.
  double l1[3], l2[3];
  double clip_most;
  u32 features, units, panels, outputs;
  u32 input_width, len;
  u32 slab_count, tokens_count, vocabulary;
  u32 steps;        // T of features
  u32 input_gates;  // masks of inputs: 0, 1, or 4 a row
  u32 state_gates;  // masks of states: 0, or 4 a row
  u32 pieces;       // chunks of a slab whose gradients of weights are summed beside each other; 1: one by one
  u32 is_first;     // whether these are the step's first slabs: sums begin at 0
  u32 stamp;        // of the update, not 0
  u32 table;        // whether products with tokens are there, once for each
  u32 training;
  u32 loss;         // as `loss_number` in step.rs has them
  u32 clip;         // 0 no, 1 by norm, 2 by value
  u32 rule;         // 0 Adam, 1 descent, 2 momentum, 3 Nesterov's, 4 RMSprop, 5 Keras's, 6 and 7 these with momentum
  float loss_setting;
  float beta_1[2], beta_2[2];
  float decay, rate, root, epsilon, momentum;
};

DEVICE u32 width_of(const Step& s) { return s.panels * GROUP; }
DEVICE u32 columns_of(const Step& s) { return s.features + s.units; }
// Where column `column` of weight_ih, or F + `unit` of weight_hh, of a panel begins: 64 values, gate by gate.
DEVICE u32 weight_at(const Step& s, u32 panel, u32 column) { return (panel * columns_of(s) + column) * PANEL; }
DEVICE u32 bias_at(const Step& s) { return s.panels * columns_of(s) * PANEL; }
DEVICE u32 dense_at(const Step& s) { return bias_at(s) + s.panels * PANEL; }
DEVICE u32 dense_bias_at(const Step& s) { return dense_at(s) + s.outputs * width_of(s); }

// The 64 values of a panel from `at` on hold a unit's four gates GROUP apart.
DEVICE float4 gates_of(const float* at) { return {at[0], at[GROUP], at[2 * GROUP], at[3 * GROUP]}; }

// A slab with its offsets.
struct Rows {
  Slab slab;
  const u32* offsets;

  // Where a time step's row-steps begin; at the end, and beyond it, how many there are.
  DEVICE_METHOD u32 begin(u32 step) const { return offsets[step < slab.steps ? step : slab.steps]; }
  DEVICE_METHOD u32 active(u32 step) const { return step >= slab.steps ? 0 : offsets[step + 1] - offsets[step]; }
};
DEVICE Rows rows_of(const Step& s, u32 slab) {
  const Slab found = s.slabs[slab];
  return {found, s.offsets + found.offsets};
}

// Eight values of shared memory, at a multiple of four.
DEVICE void read_eight(const float* at, float (&to)[8]) {
  const float4 low = reinterpret_cast<const float4*>(at)[0], high = reinterpret_cast<const float4*>(at)[1];
  to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w, to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
}

// The weights of one thread of the kernels that go through time, four at a time: KEPT of them in registers, the rest
// elsewhere, `pitch` apart.
template <int KEPT>
struct Weights {
  float4 kept[KEPT];
  const float4* rest;
  u32 pitch;

  // Of the COUNT fours that `four` gives, the rest goes to shared memory: `[q][thread]`, which no other thread reads.
  template <int COUNT, class Four>
  DEVICE_METHOD void keep(float4* shared, const Four& four) {
#pragma unroll
    for (int q = 0; q < COUNT; q++) {
      if (q < KEPT) kept[q] = four(q);
      else shared[(q - KEPT) * blockDim.x + threadIdx.x] = four(q);
    }
    rest = shared + threadIdx.x, pitch = blockDim.x;
  }
  // The rest stays where it is.
  DEVICE_METHOD void borrow(const float4* all) {
#pragma unroll
    for (int q = 0; q < KEPT; q++) kept[q] = all[q];
    rest = all + KEPT, pitch = 1;
  }
  // Does something with each of COUNT fours, in their order.
  template <int COUNT, class Work>
  DEVICE_METHOD void each(const Work& work) const {
#pragma unroll
    for (int q = 0; q < (COUNT < KEPT ? COUNT : KEPT); q++) work(q, kept[q]);
#pragma unroll 1
    for (int q = KEPT; q < COUNT; q++) work(q, rest[(q - KEPT) * pitch]);
  }
};
