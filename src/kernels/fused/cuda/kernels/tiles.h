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

// Finds the origins of a tile's rows, in shared memory; the block has to wait before it uses them.
template <class From>
DEVICE void find_origins(const From& from, Origin* origins) {
  for (u32 i = threadIdx.x; i < from.count; i += blockDim.x) origins[i] = from.origin(i);
}

// Copies COUNT values, which 128 threads share. Eight are on their way at a time: a value that is put may hide from the
// compiler that the next one can be read already.
template <u32 COUNT, class Value, class Get, class Put>
DEVICE void copy(const Get& get, const Put& put) {
  for (u32 from = threadIdx.x; from < COUNT; from += 8 * 128) {
    Value found[8];
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (from + n * 128 < COUNT) found[n] = get(from + n * 128);
#pragma unroll
    for (u32 n = 0; n < 8; n++)
      if (from + n * 128 < COUNT) put(from + n * 128, found[n]);
  }
}

// Begins to copy COLUMNS columns of LINES rows of a tile, from `base` on, to `[row][pitch]`; zeros beyond the rows. What
// comes to stand beyond `columns` is not said. A block has 128 threads.
template <u32 LINES, u32 COLUMNS, class From>
DEVICE void copy_rows_later(const From& from, const Origin* origins, u32 base, u32 column, u32 columns, float* to, u32 pitch) {
  const float* somewhere = from.s.packed;
  const auto source = [&](u32 row, u32 k) -> const float* {
    return base + row < from.count && column + k < columns ? from.source(origins[base + row], column + k) : nullptr;
  };
  if (from.s.features % 4 == 0) {
#pragma unroll
    for (u32 i = threadIdx.x * 4; i < LINES * COLUMNS; i += 4 * 128) {
      const float* at = source(i / COLUMNS, i % COLUMNS);
      copy_later<16>(to + i / COLUMNS * pitch + i % COLUMNS, at ? at : somewhere, at);
    }
  } else {
#pragma unroll
    for (u32 i = threadIdx.x; i < LINES * COLUMNS; i += 128) {
      const float* at = source(i / COLUMNS, i % COLUMNS);
      copy_later<4>(to + i / COLUMNS * pitch + i % COLUMNS, at ? at : somewhere, at);
    }
  }
}

// Multiplies what has come by what a gate sees it multiplied by: each thread what it has copied itself.
template <u32 LINES, u32 COLUMNS, class From>
DEVICE void mask_rows(const From& from, const Origin* origins, u32 base, u32 column, u32 columns, u32 gate, float* to, u32 pitch) {
  const u32 together = from.s.features % 4 == 0 ? 4 : 1;
  for (u32 first = threadIdx.x * together; first < LINES * COLUMNS; first += together * 128)
    for (u32 i = first; i < first + together; i++) {
      const u32 row = base + i / COLUMNS, k = column + i % COLUMNS;
      if (row < from.count && k < columns) to[i / COLUMNS * pitch + i % COLUMNS] *= from.mask(origins[row], k, gate);
    }
}
