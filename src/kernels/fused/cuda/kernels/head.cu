// The dense layer on a slab's last states; in training, the gradient of the loss, and of the dense layer.
// One block a slab, 16 threads a row.
#include "activation.h"
#include "step.h"

constexpr u32 BINARY = 0, CATEGORICAL = 1, MSE = 2, MAE = 3, HUBER = 4;

// The gradient of a row's loss with respect to its logits, `d`, which holds room for K.
DEVICE void errors(const Step& s, const float* z, float target, float share, float* d) {
  if (s.loss == CATEGORICAL) {
    float most = -of_bits(0x7f800000u);
    for (u32 k = 0; k < s.outputs; k++) most = z[k] > most ? z[k] : most;
    float sum = -0.0f;
    for (u32 k = 0; k < s.outputs; k++) {
      d[k] = exp_of_negative(most - z[k]);
      sum += d[k];
    }
    for (u32 k = 0; k < s.outputs; k++) {
      const float is_true = k == (u32)target ? 1.0f : 0.0f;
      const float wanted = (1.0f - s.loss_setting) * is_true + s.loss_setting / (float)s.outputs;
      d[k] = (d[k] / sum - wanted) * share;
    }
    return;
  }
  if (s.loss == BINARY) {
    // sigmoid(z) - 1 = -sigmoid(-z), which loses nothing where sigmoid(z) is nearly 1.
    const float found = sigmoid(target > 0.5f ? -z[0] : z[0]);
    d[0] = (target > 0.5f ? -1.0f : 1.0f) * found * share;
    return;
  }
  const float error = z[0] - target;
  float slope;
  if (s.loss == MSE) slope = 2.0f * error;
  else if (s.loss == HUBER) slope = error < -s.loss_setting ? -s.loss_setting : error > s.loss_setting ? s.loss_setting : error;
  else slope = error > 0.0f ? 1.0f : error < 0.0f ? -1.0f : error == 0.0f ? 0.0f : error;
  d[0] = slope * share;
}

KERNEL(head, 256, 1) {
  const Slab slab = s.slabs[blockIdx.x];
  const u32 width = width_of(s), row = threadIdx.x / GROUP, lane = threadIdx.x % GROUP, own = blockIdx.x * ROWS + row;
  const float* dense = s.packed + dense_at(s);
  const float* bias = s.packed + dense_bias_at(s);
  float* logits = row < slab.rows ? s.logits + (u64)s.positions[own] * s.outputs : nullptr;
  for (u32 k = 0; k < s.outputs; k++) {
    // Sixteen chains over the groups, then a fixed tree.
    float sum = 0.0f;
    if (row < slab.rows)
      for (u32 group = 0; group < width; group += GROUP)
        sum = fmaf(s.last[own * width + group + lane], dense[k * width + group + lane], sum);
    for (u32 half = GROUP / 2; half > 0; half /= 2) sum += __shfl_xor_sync(~0u, sum, half);
    if (lane == 0 && row < slab.rows) logits[k] = sum + bias[k];
  }
  if (!s.training) return;
  __syncthreads();
  if (lane == 0 && row < slab.rows)
    errors(s, logits, s.targets[own], s.shares[own], s.d_logits + (u64)own * s.outputs);
  __syncthreads();
  const float* d_logits = s.d_logits + (u64)blockIdx.x * ROWS * s.outputs;
  const float* last = s.last + blockIdx.x * ROWS * width;
  float* gradient = s.slab_gradients + (u64)blockIdx.x * s.len;
  for (u32 i = threadIdx.x; i < s.outputs * width; i += blockDim.x) {
    float sum = 0.0f;
    for (u32 r = 0; r < slab.rows; r++) sum = fmaf(d_logits[r * s.outputs + i / width], last[r * width + i % width], sum);
    gradient[dense_at(s) + i] = sum;
  }
  for (u32 k = threadIdx.x; k < s.len - dense_bias_at(s); k += blockDim.x) {
    float sum = -0.0f;
    if (k < s.outputs)
      for (u32 r = 0; r < slab.rows; r++) sum += d_logits[r * s.outputs + k];
    gradient[dense_bias_at(s) + k] = k < s.outputs ? sum : 0.0f;
  }
}
