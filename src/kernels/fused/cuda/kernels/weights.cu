// The gradients of weights: sums over row-steps, or over different tokens, of inputs times the gates' gradients.
//
// Each sum is a chain from the last row to the first of a chunk, from 0; the chunks are added up in order. A block
// has 64 columns of inputs and two panels. A thread has 8 columns and two units, of one panel each: of all gates, or,
// where masks make each gate see other inputs, of one.
//
// A chunk's rows are copied to shared memory in four stages, while the stages before them are multiplied.
#include "tiles.h"

constexpr u32 LINES = 16;         // rows of a stage
constexpr u32 STAGES = TILE / LINES;
constexpr u32 UNITS = 2 * GROUP;  // of two panels

// Of one stage, in shared memory: inputs [LINES][64 columns], and gradients [LINES][UNITS].
struct Stage {
  float inputs[LINES * TILE];
  float4 d_gates[LINES * UNITS];
};

// Where the sums of a block come from.
template <class From>
struct Source {
  const float4* gates;
  u32 panel, column, columns, gate;
  Stage* stages;    // [STAGES]
  Origin* origins;  // [2][TILE] of the rows of two tiles

  DEVICE_METHOD Source(const float4* gates, u32 panel, u32 column, u32 columns, u32 gate)
      : gates(gates), panel(panel), column(column), columns(columns), gate(gate) {
    stages = reinterpret_cast<Stage*>(pool()), origins = reinterpret_cast<Origin*>(stages + STAGES);
  }
  DEVICE_METHOD Origin* origins_of(u32 tile) const { return origins + tile % 2 * TILE; }
  // Begins to copy a stage of a tile, if the tile reaches it.
  DEVICE_METHOD void fetch(const From& from, u32 tile, u32 number) const {
    const Step& s = from.s;
    const u32 base = number * LINES;
    if (base < from.count) {
      Stage& to = stages[number];
      copy_rows_later<LINES, TILE>(from, origins_of(tile), base, column, columns, to.inputs, TILE);
#pragma unroll
      for (u32 i = threadIdx.x; i < LINES * UNITS; i += 128) {
        const u32 row = base + i / UNITS, of = panel * GROUP + i % UNITS;
        const bool is_there = row < from.count && of < width_of(s);
        const float4* at = is_there ? gates + (u64)(from.first() + row) * width_of(s) + of : gates;
        copy_later<16>(reinterpret_cast<float*>(to.d_gates + i), reinterpret_cast<const float*>(at), is_there);
      }
    }
    end_group();
  }
  DEVICE_METHOD void mask(const From& from, u32 tile, u32 number) const {
    const u32 base = number * LINES;
    mask_rows<LINES, TILE>(from, origins_of(tile), base, column, columns, gate, stages[number].inputs, TILE);
  }
};

// A thread's sums: N is the number of gates.
template <int N>
struct Sums {
  float of[8][2 * N];

  DEVICE_METHOD void clear() {
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < 2 * N; n++) of[k][n] = 0.0f;
  }
  DEVICE_METHOD void add(const Sums& more) {
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < 2 * N; n++) of[k][n] += more.of[k][n];
  }
  DEVICE_METHOD void row(const Stage& stage, u32 at, u32 gate) {
    const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
    float x[8], d[2 * N];
    read_eight(stage.inputs + at * TILE + first, x);
#pragma unroll
    for (int u = 0; u < 2; u++) {
      const float4* found = stage.d_gates + at * UNITS + u * GROUP + unit;
      if constexpr (N == 1) d[u] = reinterpret_cast<const float*>(found)[gate];
      else d[u * N] = found->x, d[u * N + 1] = found->y, d[u * N + 2] = found->z, d[u * N + 3] = found->w;
    }
#pragma unroll
    for (int k = 0; k < 8; k++)
#pragma unroll
      for (int n = 0; n < 2 * N; n++) of[k][n] = fmaf(x[k], d[n], of[k][n]);
  }
  // Goes on with a stage of `count` rows, from the last to the first.
  DEVICE_METHOD void stage(const Stage& stage, u32 count, u32 gate) {
    if (count >= LINES) {
#pragma unroll 4
      for (u32 at = LINES; at-- > 0;) row(stage, at, gate);
    } else {
      for (u32 at = count; at-- > 0;) row(stage, at, gate);
    }
  }
  DEVICE_METHOD void store(const Step& s, float* to, u32 panel, u32 column, u32 columns, u32 gate) const {
    const u32 unit = threadIdx.x % GROUP, first = threadIdx.x / GROUP * 8;
#pragma unroll
    for (int k = 0; k < 8; k++) {
#pragma unroll
      for (int u = 0; u < 2; u++) {
        if (column + first + k >= columns || panel + u >= s.panels) continue;
        float* at = to + weight_at(s, panel + u, column + first + k) + unit;
        // As added to 0.
#pragma unroll
        for (int n = 0; n < N; n++) at[(N == 4 ? n : gate) * GROUP] = 0.0f + of[k][u * N + n];
      }
    }
  }
};

// Sums the rows of COUNT tiles, each of which is `from(tile)`, the last tile first. `ended(tile)` is told when a tile's
// rows are in the sums.
template <int N, class From, class Each, class Ended>
DEVICE void sum_up(const Source<From>& source, u32 count, const Each& from, Sums<N>& sums, const Ended& ended) {
  sums.clear();
  From now = from(count - 1);
  find_origins(now, source.origins_of(count - 1));
  __syncthreads();
#pragma unroll 1
  for (u32 number = STAGES; number-- > 0;) source.fetch(now, count - 1, number);
  for (u32 tile = count; tile-- > 0;) {
    const From next = from(tile > 0 ? tile - 1 : 0);
    if (tile > 0) find_origins(next, source.origins_of(tile - 1));
#pragma unroll 1
    for (u32 number = STAGES; number-- > 0;) {
      const u32 base = number * LINES;
      wait_for_groups<STAGES - 1>();
      if (now.is_masked() && base < now.count) source.mask(now, tile, number);
      __syncthreads();
      if (base < now.count) sums.stage(source.stages[number], now.count - base, source.gate);
      __syncthreads();
      if (tile > 0) source.fetch(next, tile - 1, number);
      else end_group();
    }
    ended(tile);
    now.start = next.start, now.count = next.count;
  }
}

// The gradient of two panels' biases: over the time steps from the last to the first, the rows of each in their order.
// A thread has one gate of one unit, and reads a chunk at a time.
DEVICE void bias_of_rows(const Step& s, u32 number, u32 panel) {
  const Rows rows = rows_of(s, number);
  const u32 value = panel * PANEL + threadIdx.x, pitch = width_of(s) * 4;
  if (value >= pitch) return;
  const float* gates = reinterpret_cast<const float*>(s.gates) + (u64)rows.slab.first * pitch + value;
  float sum = 0.0f;
  for (u32 chunk = (rows.slab.steps + CHUNK - 1) / CHUNK; chunk-- > 0;) {
    float found[CHUNK][ROWS];
    u32 counts[CHUNK];
#pragma unroll
    for (u32 t = 0; t < CHUNK; t++) {
      const u32 step = chunk * CHUNK + t, begin = rows.begin(step);
      counts[t] = rows.begin(step + 1) - begin;
#pragma unroll
      for (u32 i = 0; i < ROWS; i++)
        if (i < counts[t]) found[t][i] = gates[(u64)(begin + i) * pitch];
    }
#pragma unroll
    for (u32 t = CHUNK; t-- > 0;)
#pragma unroll
      for (u32 i = 0; i < ROWS; i++)
        if (i < counts[t]) sum += found[t][i];
  }
  const u32 unit = value / 4, gate = value % 4;
  s.slab_gradients[(u64)number * s.len + bias_at(s) + unit / GROUP * PANEL + gate * GROUP + unit % GROUP] = sum;
}

// PIECES: a block sums one chunk of a slab; else all of them, from the last to the first.
template <int N, bool PIECES>
DEVICE void weights_of_rows(const Step& s, u32 panel, u32 gate) {
  // The biases' blocks take longest, and come first.
  const u32 number = blockIdx.x / (s.pieces + 1), place = blockIdx.x % (s.pieces + 1);
  if (place == 0) {
    if (blockIdx.z == 0 && gate == 0) bias_of_rows(s, number, panel);
    return;
  }
  const u32 columns = columns_of(s), column = (s.table ? s.features : 0) + blockIdx.z * TILE, piece = place - 1;
  const u32 chunks = (s.slabs[number].steps + CHUNK - 1) / CHUNK;
  const Source<RowSteps> source(s.gates, panel, column, columns, gate);
  Sums<N> sums;
  if constexpr (PIECES) {
    if (piece >= chunks) return;
    float* to = s.chunk_sums + (u64)(number * s.pieces + piece) * s.len;
    const auto store = [&](u32) { sums.store(s, to, panel, column, columns, gate); };
    sum_up<N>(source, 1, [&](u32) { return row_steps(s, number, piece); }, sums, store);
  } else {
    Sums<N> total;
    total.clear();
    const auto add = [&](u32) {
      total.add(sums);
      sums.clear();
    };
    sum_up<N>(source, chunks, [&](u32 chunk) { return row_steps(s, number, chunk); }, sums, add);
    total.store(s, s.slab_gradients + (u64)number * s.len, panel, column, columns, gate);
  }
}

// Grid: slabs' biases and pieces, pairs of panels, tiles of columns.
KERNEL(weights_rows, 128, 2) { weights_of_rows<4, false>(s, blockIdx.y * 2, 0); }
KERNEL(weights_pieces, 128, 3) { weights_of_rows<4, true>(s, blockIdx.y * 2, 0); }
// Grid: slabs' biases and pieces, pairs of panels and gates, tiles of columns.
KERNEL(weights_rows_masked, 128, 3) { weights_of_rows<1, false>(s, blockIdx.y / 4 * 2, blockIdx.y % 4); }
KERNEL(weights_pieces_masked, 128, 3) { weights_of_rows<1, true>(s, blockIdx.y / 4 * 2, blockIdx.y % 4); }

// Whether a weight's gradient comes from the tokens.
DEVICE bool is_of_tokens(const Step& s, u32 at) { return at < bias_at(s) && at / PANEL % columns_of(s) < s.features; }

// Of a chunk of tokens, which is two tiles; the later one comes first. Grid: chunks, pairs of panels, tiles of columns.
KERNEL(weights_tokens, 128, 3) {
  const u32 column = blockIdx.z * TILE, start = blockIdx.x * TOKEN_CHUNK, panel = blockIdx.y * 2;
  const Source<Tokens> source(s.d_products, panel, column, s.features, 0);
  float* to = s.chunk_sums + (u64)blockIdx.x * s.len;
  Sums<4> sums;
  const auto store = [&](u32 tile) {
    if (tile == 0) sums.store(s, to, panel, column, s.features, 0);
  };
  const u32 tiles = start + TILE < s.tokens_count ? 2 : 1;
  sum_up<4>(source, tiles, [&](u32 tile) { return some_tokens(s, start + tile * TILE, TILE); }, sums, store);
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

// What a slab gives to a weight: the sums of its pieces, from the last to the first.
DEVICE float sum_of_pieces(const Step& s, u32 slab, u32 at) {
  const float* from = s.chunk_sums + (u64)slab * s.pieces * s.len + at;
  float sum = 0.0f;
  for (u32 left = (s.slabs[slab].steps + CHUNK - 1) / CHUNK; left > 0;) {
    const u32 some = left < 16 ? left : 16;
    float found[16];
#pragma unroll
    for (u32 n = 0; n < 16; n++)
      if (n < some) found[n] = from[(u64)(left - 1 - n) * s.len];
#pragma unroll
    for (u32 n = 0; n < 16; n++)
      if (n < some) sum += found[n];
    left -= some;
  }
  return sum;
}

// The slabs' gradients, added in their order. Those of weight_ih come from the tokens where there is a table.
KERNEL(add_up, 256, 1) {
  const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= s.len) return;
  float sum = s.is_first ? 0.0f : s.gradient[at];
  if (s.table && is_of_tokens(s, at)) {
    if (s.tokens_count == 0) s.gradient[at] = sum;
    return;
  }
  const bool in_pieces = s.pieces > 1 && at < bias_at(s);
  for (u32 slab = 0; slab < s.slab_count; slab++)
    sum += in_pieces ? sum_of_pieces(s, slab, at) : s.slab_gradients[(u64)slab * s.len + at];
  s.gradient[at] = sum;
}
