// sigmoid and tanh: the operations of `activation.rs`, one by one.
#pragma once
#include "gpu.h"

// What is not a number stays so.
DEVICE float between(float x, float low, float high) {
  x = high < x ? high : x;
  return low > x ? low : x;
}

DEVICE float exp_of_negative(float x) {
  const float bounded = between(x, -87.0f, 87.0f);
  const float round = 12582912.0f;
  const float rounded = fmaf(bounded, -1.44269504088896340736f, round);
  const float n = rounded - round;
  float r = fmaf(n, -0.6933594f, 0.0f - bounded);
  r = fmaf(n, 2.1219444e-4f, r);
  float q = 0.0013820733f;
  q = fmaf(q, r, 0.008368677f);
  q = fmaf(q, r, 0.041668266f);
  q = fmaf(q, r, 0.16666521f);
  q = fmaf(q, r, 0.49999994f);
  const float e = fmaf(q, r * r, r) + 1.0f;
  return e * of_bits((bits_of(rounded) << 23) + 0x3f800000u);
}

DEVICE float sigmoid(float x) { return divide(1.0f, exp_of_negative(x) + 1.0f); }

DEVICE float hyperbolic_tangent(float x) {
  x = between(x, -9.02f, 9.02f);
  const float square = x * x;
  float above = 1.3383906e-08f, below = 7.790084e-07f;
  above = fmaf(above, square, 2.063553e-05f), below = fmaf(below, square, 0.0003288488f);
  above = fmaf(above, square, 0.0034974394f), below = fmaf(below, square, 0.025884291f);
  above = fmaf(above, square, 0.13382672f), below = fmaf(below, square, 0.46715993f);
  above = fmaf(above, square, 1.0f) * x, below = fmaf(below, square, 1.0f);
  return between(divide(above, below), -1.0f, 1.0f);
}
