// Slabs through all time steps, forward: a block has R rows of a slab, a thread one gate of one unit, whose weights of
// the states it keeps in registers.
//
// Each gate's sum goes on from what the input gave, over the states before, ascending. What the input gave is read one
// time step ahead, and its place two. Then a thread has one row's cell.
#include "activation.h"
#include "step.h"

// Where what the input gave to R row-steps from `at` on stands, of which there are `count`: by their tokens where there
// is a table, else one after the other.
template <int R>
DEVICE void find_inputs(const Step& s, u32 at, u32 row, u32 count, u32 (&places)[R]) {
#pragma unroll
  for (int r = 0; r < R; r++) {
    places[r] = at + row + r;
    if (s.table && row + r < count) places[r] = s.numbers[at + row + r];
  }
}
// What it gave to a gate there; nothing to rows beyond.
template <int R>
DEVICE void read_inputs(const Step& s, const u32 (&places)[R], u32 row, u32 count, u32 value, float (&z)[R]) {
  const float* from = reinterpret_cast<const float*>(s.table ? s.products : s.gates) + value;
#pragma unroll
  for (int r = 0; r < R; r++) z[r] = row + r < count ? from[(u64)places[r] * 4 * width_of(s)] : 0.0f;
}

// Adds the products with four states of R rows; with BOUND, only of those below `units`.
template <int R, bool BOUND>
DEVICE void add_four(const float* states, u32 pitch, u32 k, u32 units, float4 w, float (&z)[R]) {
#pragma unroll
  for (int r = 0; r < R; r++) {
    const float4 h = *reinterpret_cast<const float4*>(states + r * pitch + k);
    if (!BOUND || k < units) z[r] = fmaf(h.x, w.x, z[r]);
    if (!BOUND || k + 1 < units) z[r] = fmaf(h.y, w.y, z[r]);
    if (!BOUND || k + 2 < units) z[r] = fmaf(h.z, w.z, z[r]);
    if (!BOUND || k + 3 < units) z[r] = fmaf(h.w, w.w, z[r]);
  }
}

// P panels. Shared: states [2][seen][R][width], one in turn read and one written, where `seen` is 4 if masks make each
// gate see other states; gates [R][4][width]; and the rest of the weights.
// ODD: the last panel has fewer than 16 units.
template <int P, int R, int KEPT, bool ODD>
DEVICE void forward(const Step& s) {
  constexpr u32 width = P * GROUP;
  const bool is_masked = s.state_gates > 0;
  const u32 seen = is_masked ? 4 : 1, gate = threadIdx.x / width, unit = threadIdx.x % width;
  const u32 number = blockIdx.x / (ROWS / R), base = blockIdx.x % (ROWS / R) * R;
  const Rows rows = rows_of(s, number);
  const Slab slab = rows.slab;
  float* states = pool();
  float* gates = states + 2 * seen * R * width;
  // Of the cell. R is at most 4.
  const u32 row = base + gate;
  const u32 place = number * ROWS + row;
  if (gate < R && row < slab.rows && row >= rows.active(0)) s.last[place * width + unit] = 0.0f;
  if (base >= rows.active(0)) return;
  Weights<KEPT> w;
  const float* own = s.packed + weight_at(s, unit / GROUP, s.features) + gate * GROUP + unit % GROUP;
  const auto weight = [&](u32 k) { return k < s.units ? own[k * PANEL] : 0.0f; };
  w.template keep<P * 4>(reinterpret_cast<float4*>(gates + R * 4 * width), [&](int q) {
    const u32 k = q * 4;
    return float4{weight(k), weight(k + 1), weight(k + 2), weight(k + 3)};
  });
  float carry = 0.0f, ahead[R];
  u32 begin = rows.begin(0), end = rows.begin(1), after = rows.begin(2), places[R];
  find_inputs(s, slab.first + begin, base, end - begin, places);
  read_inputs(s, places, base, end - begin, unit * 4 + gate, ahead);
  find_inputs(s, slab.first + end, base, after - end, places);
  for (u32 t = 0; t < slab.steps; t++) {
    const u32 at = slab.first + begin, active = end - begin, go_on = after - end, later = rows.begin(t + 3);
    if (base >= active) break;
    float z[R];
#pragma unroll
    for (int r = 0; r < R; r++) z[r] = ahead[r];
    read_inputs(s, places, base, go_on, unit * 4 + gate, ahead);
    find_inputs(s, slab.first + after, base, later - after, places);
    if (t > 0) {
      const float* before = states + ((t & 1) * seen + (is_masked ? gate : 0)) * R * width;
      w.template each<P * 4>([&](int k, float4 four) { add_four<R, ODD>(before, width, k * 4, s.units, four, z); });
    }
    if (gate == 2) {
#pragma unroll
      for (int r = 0; r < R; r++) z[r] = hyperbolic_tangent(z[r]);
    } else {
#pragma unroll
      for (int r = 0; r < R; r++) z[r] = sigmoid(z[r]);
    }
#pragma unroll
    for (int r = 0; r < R; r++) gates[(r * 4 + gate) * width + unit] = z[r];
    __syncthreads();
    if (gate < R) {
      const float* of = gates + gate * 4 * width + unit;
      const float4 g = {of[0], of[width], of[2 * width], of[3 * width]};
      carry = fmaf(g.y, carry, g.x * g.z);
      const float state = g.w * hyperbolic_tangent(carry);
      float* next = states + ((t + 1) & 1) * seen * R * width + gate * width + unit;
      if (is_masked) {
        const bool is_there = row < active && unit < s.units;
        const float* masks = s.state_masks + (is_there ? (u64)s.positions[place] * 4 * s.units + unit : 0);
#pragma unroll
        for (u32 of = 0; of < 4; of++) next[of * R * width] = is_there ? state * masks[of * s.units] : state;
      } else {
        *next = state;
      }
      if (row < active) {
        const u64 to = (u64)(at + row) * width + unit;
        s.gates[to] = g, s.cells[to] = carry, s.states[to] = state;
        if (row >= go_on) s.last[place * width + unit] = state;
      }
    }
    __syncthreads();
    begin = end, end = after, after = later;
  }
}

#define FORWARD(P, R, KEPT, BLOCKS) \
  KERNEL(forward_##P##_by_##R, 64 * P, BLOCKS) { forward<P, R, KEPT, false>(s); }
FORWARD(1, 2, 4, 4)
FORWARD(1, 4, 4, 4)
FORWARD(2, 2, 8, 3)
FORWARD(2, 4, 8, 3)
FORWARD(3, 2, 12, 2)
FORWARD(3, 4, 12, 2)
FORWARD(4, 2, 16, 2)
FORWARD(4, 4, 15, 2)
FORWARD(5, 2, 20, 1)
FORWARD(6, 2, 24, 1)
FORWARD(7, 2, 16, 1)
#define FORWARD_ODD(P, KEPT) \
  KERNEL(forward_##P##_odd, 64 * P, 1) { forward<P, 2, KEPT, true>(s); }
FORWARD_ODD(1, 4)
FORWARD_ODD(2, 8)
FORWARD_ODD(3, 12)
FORWARD_ODD(4, 16)
FORWARD_ODD(5, 20)
FORWARD_ODD(6, 24)
FORWARD_ODD(7, 16)
