"""What the Keras contenders share: threads, model, versions."""

from importlib.metadata import version

import keras
import numpy

VOCABULARY, EMBEDDING, UNITS = 10_000, 64, 64


def start(threads: int) -> None:
    """Threads of the backend; XLA and Eigen take as many as the process may use processors."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(threads)
    if keras.backend.backend() == "torch":
        import torch

        torch.set_flush_denormal(True)  # as TensorFlow does by itself
        torch.set_num_threads(threads)
    keras.utils.set_random_seed(0)


def classifier(x: numpy.ndarray) -> keras.Model:
    """For vectors `[N, T, F]` or token ids `[N, T]`, where 0 is masked."""
    layers: list[keras.layers.Layer] = [keras.layers.Input(x.shape[1:], dtype=x.dtype.name)]
    if x.ndim == 2:
        layers.append(keras.layers.Embedding(VOCABULARY, EMBEDDING, mask_zero=True))
    layers += [keras.layers.LSTM(UNITS), keras.layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(layers)


def versions() -> dict[str, str]:
    package = {"tensorflow": "tensorflow-cpu"}.get(keras.backend.backend(), keras.backend.backend())
    return {"keras": keras.__version__, package: version(package)}
