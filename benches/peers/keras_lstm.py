"""Trains the Keras 3 model under the benchmark's protocol, inside one call of `fit`.

Usage: KERAS_BACKEND=... keras_lstm.py DATA BATCH_SIZE THREADS {jit,graph} ROWS

A round is a number of whole epochs over the first ROWS rows, in their order: `fit` waits for the next round
between two epochs, so that its start is not measured. `jit` is `compile(jit_compile=True)`: XLA on TensorFlow
and JAX. `graph` is the same without: TensorFlow's graph, or torch step by step.
"""

import sys
import time
from pathlib import Path

import keras
import numpy
from keras_setup import classifier, start, versions
from protocol import say


class Rounds(keras.callbacks.Callback):
    """Starts and times rounds between epochs; the first is a warm-up, the second is timed unasked."""

    def __init__(self, steps_per_epoch: int) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self.round = 0
        self.epochs = 1
        self.left = 1
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if self.left > 0:
            return
        self.round += 1
        if self.round > 1:
            line = sys.stdin.readline()
            if not line:
                sys.exit(0)
            self.epochs = max(1, round(int(line) / self.steps_per_epoch))
        self.left = self.epochs
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.left -= 1
        if self.left > 0 or self.round == 0:
            return
        loss = float((logs or {})["loss"])  # waits for the steps
        seconds = time.perf_counter() - self.started
        more = {"versions": versions()} if self.round == 1 else {}
        say(self.epochs * self.steps_per_epoch, seconds, loss, **more)


def main(data: str, batch_size: str, threads: str, mode: str, rows: str) -> None:
    start(int(threads))
    size = int(batch_size)
    n = max(int(rows) // size, 1) * size
    x, y = (numpy.load(Path(data) / name)[:n] for name in ("x.npy", "y.npy"))
    model = classifier(x)
    model.compile(optimizer="adam", loss="binary_crossentropy", jit_compile=mode == "jit")
    model.fit(
        x, y, batch_size=size, epochs=10**9, shuffle=False, verbose=0, callbacks=[Rounds(n // size)]
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
