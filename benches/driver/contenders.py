"""Who takes part, and in which configuration."""

from dataclasses import dataclass
from pathlib import Path

from . import environments, places


@dataclass(frozen=True)
class Contender:
    name: str
    environment: str
    # What tells the configurations of one environment apart.
    mode: str
    # For the tables: who it is and how it is set.
    about: str
    ours: bool = False
    # Only on request, for this reason.
    apart: str | None = None
    # Keras trains on these first rows only where it is too slow for whole epochs in a round.
    rows: int = 2048

    def command(self, program: str, data: Path, batch_size: int, threads: int) -> list[str]:
        common = [str(data), str(batch_size), str(threads)]
        if self.environment in ("ours", EARLIER.environment):
            return [program, *common, *self.mode.split()]
        if self.environment.startswith("burn"):
            return [program, str(data), str(batch_size)]
        if self.name.startswith("keras"):
            return [program, str(places.PEERS / "keras_lstm.py"), *common, self.mode, str(self.rows)]
        return [program, str(places.PEERS / "torch_lstm.py"), *common, self.mode]

    def variables(self, threads: int) -> dict[str, str]:
        return {**environments.variables(threads), "KERAS_BACKEND": self.environment}


SGEMM = Contender("sgemm", "ours", "--sgemm", "MKL's product of two 2048 x 2048 matrices, through libtorch")

# Another build of the contender, which --against names: what a change does to the speed.
EARLIER = Contender("fused-against", "against", "--engine fused", "engine `fused` of the program that --against names")

CONTENDERS = [
    Contender("fused", "ours", "--engine fused", "batchscope, engine `fused`", ours=True),
    Contender("libtorch", "ours", "--engine libtorch", "batchscope, engine `libtorch`", ours=True),
    Contender("pytorch", "torch", "plain", "nn.LSTM as it comes: the first steps of new models; text packed"),
    Contender("pytorch-flushed", "torch", "flushed", "nn.LSTM, set_flush_denormal(True), fused Adam; text aligned and cut"),
    Contender("torch-compile", "torch", "compiled", "the same under torch.compile"),
    Contender("keras-tensorflow", "tensorflow", "graph", "Keras fit on TensorFlow, jit_compile=False"),
    Contender("keras-tensorflow-xla", "tensorflow", "jit", "Keras fit on TensorFlow, jit_compile=True (its default)"),
    Contender("keras-jax", "jax", "jit", "Keras fit on JAX, jit_compile=True (its default)"),
    Contender("keras-torch", "torch", "graph", "Keras fit on torch, eager (its default), subnormals flushed", rows=256),
    Contender("burn-flex", "burn-flex", "", "Burn's Lstm, backend flex, the one it recommends for processors"),
    Contender(
        "burn-cpu",
        "burn-cpu",
        "",
        "Burn's Lstm, backend cpu, compiled at run time",
        apart="not asked for: its build takes minutes, then downloads an LLVM; --contenders burn-cpu tries it",
    ),
]
