"""Trains many LSTMs at once in JAX on the first GPU under the benchmark's protocol; scripts/gpu_check starts it.

Usage: jax_vmap.py DATA BATCH_SIZE SEEDS

`vmap` over the seeds, one compiled step, the recurrence a `lax.scan`: what a JAX user writes to train one
configuration with many seeds. All models see the same rows in the same order. One step here is one step of every
model, so the rate is steps x rows x SEEDS. Text keeps its full length (a compiled step has one shape); states of
padding are kept as they were, as batchscope does. f32 products without TF32.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy
from protocol import serve

VOCABULARY, EMBEDDING, UNITS = 10_000, 64, 64
LR = 1e-3

jax.config.update("jax_default_matmul_precision", "highest")


def fresh(key: jax.Array, features: int | None) -> dict[str, jax.Array]:
    inputs = features or EMBEDDING
    scale = UNITS**-0.5
    keys = jax.random.split(key, 4)

    def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        return jax.random.uniform(key, shape, minval=-scale, maxval=scale)

    model = {
        "input": uniform(keys[0], (inputs, 4 * UNITS)),
        "recurrent": uniform(keys[1], (UNITS, 4 * UNITS)),
        "bias": jnp.zeros(4 * UNITS),
        "dense": uniform(keys[2], (UNITS,)),
        "dense_bias": jnp.zeros(()),
    }
    if features is None:
        model["embedding"] = jax.random.uniform(keys[3], (VOCABULARY, EMBEDDING), minval=-0.05, maxval=0.05)
    return model


def loss_of(model: dict[str, jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
    """x [B, T, F] floats or [B, T] token ids, y [B]."""
    text = "embedding" in model
    vectors = model["embedding"][x] if text else x
    given = vectors @ model["input"] + model["bias"]
    kept = (x != 0) if text else jnp.ones(x.shape[:2], bool)

    def step(carried, now):
        state, carry = carried
        gates, real = now
        i, f, g, o = jnp.split(gates + state @ model["recurrent"], 4, axis=-1)
        new_carry = jax.nn.sigmoid(f) * carry + jax.nn.sigmoid(i) * jnp.tanh(g)
        new_state = jax.nn.sigmoid(o) * jnp.tanh(new_carry)
        real = real[:, None]
        return (jnp.where(real, new_state, state), jnp.where(real, new_carry, carry)), None

    start = jnp.zeros((x.shape[0], UNITS))
    (state, _), _ = jax.lax.scan(step, (start, start), (given.swapaxes(0, 1), kept.T))
    logits = state @ model["dense"] + model["dense_bias"]
    return jnp.mean(jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-jnp.abs(logits))))


def adam(model, mean, square, gradient, count):
    """Keras's Adam: one step of size LR."""
    rate = LR * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    mean = jax.tree.map(lambda m, g: m + (g - m) * 0.1, mean, gradient)
    square = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, square, gradient)
    model = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), model, mean, square)
    return model, mean, square


def main(data: str, batch_size: str, seeds: str) -> None:
    size = int(batch_size)
    x, y = numpy.load(Path(data) / "x.npy"), numpy.load(Path(data) / "y.npy")
    features = x.shape[2] if x.ndim == 3 else None
    parts = [(jnp.asarray(x[at : at + size]), jnp.asarray(y[at : at + size])) for at in range(0, len(x) - size + 1, size)]
    model = jax.vmap(lambda key: fresh(key, features))(jax.random.split(jax.random.key(0), int(seeds)))
    mean, square = jax.tree.map(jnp.zeros_like, model), jax.tree.map(jnp.zeros_like, model)

    def one(model, mean, square, count, x, y):
        loss, gradient = jax.value_and_grad(loss_of)(model, x, y)
        return (*adam(model, mean, square, gradient, count), loss)

    together = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, None, None, None)), donate_argnums=(0, 1, 2))
    at = 0

    def run(steps: int) -> float:
        nonlocal model, mean, square, at
        losses = jnp.zeros(1)
        for _ in range(steps):
            part = parts[at % len(parts)]
            at += 1
            model, mean, square, losses = together(model, mean, square, jnp.float32(at), *part)
        return float(losses.mean())

    serve(run, {"jax": jax.__version__}, warm_up=4)


if __name__ == "__main__":
    main(*sys.argv[1:])
