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
  // A column of the input and the state together, as a gate sees it.
  DEVICE_METHOD float value(const Origin& of, u32 column, u32 gate) const {
    if (column < s.features) {
      const float value = s.values[(u64)of.vector * s.features + column];
      const u32 masks = s.input_gates;
      if (masks == 0) return value;
      return value * s.input_masks[((u64)of.position * masks + (masks == 1 ? 0 : gate)) * s.features + column];
    }
    if (of.state == NOTHING) return 0.0f;
    const u32 unit = column - s.features;
    const float value = s.states[(u64)of.state * width_of(s) + unit];
    if (s.state_gates == 0) return value;
    return value * s.state_masks[((u64)of.position * 4 + gate) * s.units + unit];
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
  DEVICE_METHOD float value(const Origin& of, u32 column, u32) const {
    return s.embedding[(u64)of.vector * s.features + column];
  }
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
