// Penalties, the norm of the gradient, clipping, and the optimizer's step.
#include "step.h"

// Which penalty a value of the packed weights has: 0 inputs, 1 states, 2 bias, 3 none.
DEVICE u32 penalty_of(const Step& s, u32 at) {
  if (at < bias_at(s)) return at / PANEL % columns_of(s) < s.features ? 0 : 1;
  return at < dense_at(s) ? 2 : 3;
}

// The penalty of a run of weights, as one chain. Grid: the weights of inputs and of states of each panel, the bias.
KERNEL(penalty_parts, 32, 1) {
  if (threadIdx.x != 0) return;
  const u32 part = blockIdx.x, panel = part / 2, which = part == 2 * s.panels ? 2 : part % 2;
  u32 from, to;
  if (which == 2) from = bias_at(s), to = dense_at(s);
  else if (which == 0) from = weight_at(s, panel, 0), to = weight_at(s, panel, s.features);
  else from = weight_at(s, panel, s.features), to = weight_at(s, panel, columns_of(s));
  double absolute = 0.0, squares = 0.0;
  for (u32 i = from; i < to; i++) {
    const double w = s.packed[i];
    absolute += w < 0.0 ? -w : w;
    squares += w * w;
  }
  s.parts[part] = s.l1[which] * absolute + s.l2[which] * squares;
}

// One thread.
KERNEL(penalty_sum, 32, 1) {
  if (threadIdx.x != 0) return;
  double sum = -0.0;
  for (u32 part = 0; part <= 2 * s.panels; part++) {
    const u32 which = part == 2 * s.panels ? 2 : part % 2;
    if (s.l1[which] > 0.0 || s.l2[which] > 0.0) sum += s.parts[part];
  }
  *s.penalty = sum;
}

KERNEL(penalise, 256, 1) {
  const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= s.len) return;
  const u32 which = penalty_of(s, at);
  if (which == 3 || !(s.l1[which] > 0.0 || s.l2[which] > 0.0)) return;
  const float l1 = (float)s.l1[which], l2 = (float)(2.0 * s.l2[which]), weight = s.packed[at];
  const float sign = weight > 0.0f ? 1.0f : weight < 0.0f ? -1.0f : 0.0f;
  s.gradient[at] += l1 * sign + l2 * weight;
}

// Of a block of values: 32 chains of every 32nd value, added up pairwise. Grid: blocks of the gradient, then of the
// tokens' gradients.
KERNEL(squares, 32, 1) {
  double* lanes = reinterpret_cast<double*>(pool());
  const u32 blocks = (s.len + BLOCK - 1) / BLOCK, lane = threadIdx.x;
  const bool tokens = blockIdx.x >= blocks;
  const float* values = tokens ? s.d_vectors : s.gradient;
  const u64 count = tokens ? (u64)s.tokens_count * s.input_width : s.len;
  const u64 first = (u64)(blockIdx.x - (tokens ? blocks : 0)) * BLOCK;
  double sum = 0.0;
  for (u64 at = first + lane; at < first + BLOCK && at < count; at += 32) sum += (double)values[at] * (double)values[at];
  lanes[lane] = sum;
  for (u32 half = 16; half > 0; half /= 2) {
    __syncwarp();
    const double other = lane < half ? lanes[lane + half] : 0.0;
    if (lane < half) lanes[lane] += other;
  }
  if (lane == 0) s.squares[blockIdx.x] = lanes[0];
}

// In the first block one thread adds, the others read ahead; shared: a number each. The others write down which tokens
// are in the step, a token a thread.
KERNEL(gradient_norm, 256, 1) {
  if (blockIdx.x > 0) {
    const u32 number = (blockIdx.x - 1) * blockDim.x + threadIdx.x;
    if (number < s.tokens_count) s.slots[s.tokens[number]] = (u64)s.stamp << 32 | number;
    return;
  }
  double* ahead = reinterpret_cast<double*>(pool());
  const u64 blocks = (s.len + BLOCK - 1) / BLOCK + ((u64)s.tokens_count * s.input_width + BLOCK - 1) / BLOCK;
  double sum = 0.0;
  for (u64 from = 0; from < blocks; from += blockDim.x) {
    const u64 some = blocks - from < blockDim.x ? blocks - from : blockDim.x;
    if (threadIdx.x < some) ahead[threadIdx.x] = s.squares[from + threadIdx.x];
    __syncthreads();
    if (threadIdx.x == 0)
      for (u64 i = 0; i < some; i++) sum += ahead[i];
    __syncthreads();
  }
  if (threadIdx.x == 0) *s.norm = (float)sqrt(sum);
}

// A gradient as the optimizer sees it.
DEVICE float clipped(const Step& s, float gradient) {
  if (s.clip == 1) {
    const double factor = s.clip_most / ((double)*s.norm + 1e-6);
    return gradient * (float)(factor < 1.0 ? factor : 1.0);
  }
  if (s.clip == 2) {
    const float most = (float)s.clip_most;
    return gradient < -most ? -most : gradient > most ? most : gradient;
  }
  return gradient;
}

// Subnormal numbers are 0.
DEVICE float normal(float x) { return fabsf(x) < 1.17549435e-38f ? 0.0f : x; }

DEVICE void apply(const Step& s, float g, float* weight, float* const (&moments)[2], u64 at) {
  const float w = weight[at];
  if (s.rule == 0) {
    const float m = normal(s.beta_1[0] * moments[0][at] + s.beta_1[1] * g);
    const float v = normal(s.beta_2[0] * moments[1][at] + s.beta_2[1] * (g * g));
    weight[at] = w * s.decay - s.rate * m / (sqrtf(v) * s.root + s.epsilon);
    moments[0][at] = m, moments[1][at] = v;
  } else if (s.rule == 1) {
    weight[at] = w - s.rate * g;
  } else if (s.rule >= 4) {
    const bool keras = s.rule % 2 == 1, keeps = s.rule >= 6;
    float* const squares = moments[keeps ? 1 : 0];
    const float v = normal(s.beta_2[0] * squares[at] + s.beta_2[1] * (g * g));
    const float root = keras ? sqrtf(v + s.epsilon) : sqrtf(v) + s.epsilon;
    squares[at] = v;
    if (keeps) {
      const float step = keras ? s.rate * (g / root) : g / root;
      const float m = normal(s.momentum * moments[0][at] + step);
      weight[at] = w - (keras ? m : s.rate * m);
      moments[0][at] = m;
    } else {
      weight[at] = w - s.rate * g / root;
    }
  } else {
    const float velocity = normal(s.momentum * moments[0][at] + g);
    const float direction = s.rule == 3 ? g + s.momentum * velocity : velocity;
    weight[at] = w - s.rate * direction;
    moments[0][at] = velocity;
  }
}

// Grid: the weights, then all vectors of tokens: the gradient of one that is not in the step is 0.
KERNEL(update, 256, 1) {
  const u32 blocks = (s.len + blockDim.x - 1) / blockDim.x;
  if (blockIdx.x < blocks) {
    const u32 at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < s.len) apply(s, clipped(s, s.gradient[at]), s.packed, s.moments, at);
    return;
  }
  const u64 at = (u64)(blockIdx.x - blocks) * blockDim.x + threadIdx.x;
  if (at >= (u64)s.vocabulary * s.features) return;
  const u64 slot = s.slots[at / s.features];
  const u64 vector = (u64)(u32)slot * s.input_width;
  const float g = slot >> 32 == s.stamp ? clipped(s, s.d_vectors[vector + at % s.features]) : 0.0f;
  apply(s, g, s.embedding, s.embedding_moments, at);
}
