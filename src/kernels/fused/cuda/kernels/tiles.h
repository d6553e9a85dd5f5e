// Where the rows of a product come from, and the tiles of them that a block keeps.
#pragma once
#include "step.h"

constexpr u32 NOTHING = ~0u;

// Where a row of a tile comes from.
struct Origin {
  u32 vector;    // the input, among `values`
  u32 state;     // the row-step of the state before; NOTHING at the first time step
  u32 position;  // whose masks it has
};

// The row-steps of some time steps of a slab, at most CHUNK of them: 64 row-steps.
struct RowSteps {
  const Step& s;
  Rows rows;
  u32 number;  // of the slab
  u32 start, count;

  DEVICE_METHOD u32 first() const { return rows.slab.first + rows.offsets[start]; }
  // Time step and row of the i-th row-step.
  DEVICE_METHOD void place(u32 i, u32& step, u32& row) const {
    const u32 at = rows.offsets[start] + i;
    step = start;
    while (rows.offsets[step + 1] <= at) step++;
    row = at - rows.offsets[step];
  }
  DEVICE_METHOD u32 position(u32 row) const { return s.positions[number * ROWS + row]; }
  DEVICE_METHOD float input_mask(u32 row, u32 column, u32 gate) const {
    const u32 masks = s.input_gates;
    if (masks == 0) return 1.0f;
    return s.input_masks[((u64)position(row) * masks + (masks == 1 ? 0 : gate)) * s.features + column];
  }
  DEVICE_METHOD Origin origin(u32 i) const {
    u32 step, row;
    place(i, step, row);
    const u32 vector = s.numbers ? s.tokens[s.numbers[first() + i]] : s.rows[number * ROWS + row] * s.steps + step;
    return {vector, step > 0 ? rows.slab.first + rows.offsets[step - 1] + row : NOTHING, position(row)};
  }
  // Where a column of the input and the state together stands; nowhere for the state before the first.
  DEVICE_METHOD const float* source(const Origin& of, u32 column) const {
    if (column < s.features) return s.values + (u64)of.vector * s.features + column;
    return of.state == NOTHING ? nullptr : s.states + (u64)of.state * width_of(s) + column - s.features;
  }
  DEVICE_METHOD bool is_masked() const { return s.input_gates > 0 || s.state_gates > 0; }
  // By what a gate sees it multiplied.
  DEVICE_METHOD float mask(const Origin& of, u32 column, u32 gate) const {
    const u32 masks = s.input_gates;
    if (column >= s.features)
      return s.state_gates == 0 ? 1.0f : s.state_masks[((u64)of.position * 4 + gate) * s.units + column - s.features];
    return masks == 0 ? 1.0f : s.input_masks[((u64)of.position * masks + (masks == 1 ? 0 : gate)) * s.features + column];
  }
};
DEVICE RowSteps row_steps(const Step& s, u32 slab, u32 chunk) {
  const Rows rows = rows_of(s, slab);
  const u32 start = chunk * CHUNK, end = start + CHUNK < rows.slab.steps ? start + CHUNK : rows.slab.steps;
  const u32 count = start < rows.slab.steps ? rows.offsets[end] - rows.offsets[start] : 0;
  return {s, rows, slab, start, count};
}

// Some of the different tokens of a step.
struct Tokens {
  const Step& s;
  u32 start, count;

  DEVICE_METHOD u32 first() const { return start; }
  DEVICE_METHOD Origin origin(u32 i) const { return {s.tokens[start + i], NOTHING, 0}; }
  DEVICE_METHOD const float* source(const Origin& of, u32 column) const {
    return s.embedding + (u64)of.vector * s.features + column;
  }
  DEVICE_METHOD bool is_masked() const { return false; }
  DEVICE_METHOD float mask(const Origin&, u32, u32) const { return 1.0f; }
};
DEVICE Tokens some_tokens(const Step& s, u32 start, u32 most) {
  const u32 left = s.tokens_count - start;
  return {s, start, left < most ? left : most};
}

// Finds the origins of a tile's rows, in shared memory.
template <class From>
DEVICE void find_origins(const From& from, Origin* origins) {
  for (u32 i = threadIdx.x; i < from.count; i += blockDim.x) origins[i] = from.origin(i);
  __syncthreads();
}

// Hands on 64 columns of the rows of a tile, as a gate sees them; 0 beyond the rows, and from `columns` on. Each of
// 128 threads has one column of every other row. Eight values are on their way at a time.
template <class From, class Put>
DEVICE void read_tile(const From& from, const Origin* origins, u32 column, u32 columns, u32 gate, const Put& put) {
  const u32 k = threadIdx.x % TILE, half = threadIdx.x / TILE;
  for (u32 first = 0; first < TILE / 2; first += 8) {
    float found[8];
#pragma unroll
    for (u32 i = 0; i < 8; i++) {
      const u32 row = (first + i) * 2 + half;
      const float* at = row < from.count && column + k < columns ? from.source(origins[row], column + k) : nullptr;
      found[i] = at ? *at : 0.0f;
    }
#pragma unroll
    for (u32 i = 0; i < 8; i++) {
      const u32 row = (first + i) * 2 + half;
      if (from.is_masked() && row < from.count && column + k < columns) found[i] *= from.mask(origins[row], column + k, gate);
      put(row, k, found[i]);
    }
  }
}
