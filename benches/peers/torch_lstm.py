"""Trains torch's own nn.LSTM under the benchmark's protocol.

Usage: torch_lstm.py DATA BATCH_SIZE THREADS {plain,flushed,compiled}

plain     as it comes: no settings. Each round starts with a new model, since the cost depends on the weights:
          at torch's initialisation the gradients that travel back through the time steps are subnormal numbers.
          Rows of text are packed (`pack_padded_sequence`), which is torch's documented way.
flushed   `set_flush_denormal(True)`, one model for all rounds, the fused Adam. Rows of text begin at the first
          step, a batch is cut to its longest row, and each row's state is read at its own last step: the same
          numbers as packing.
compiled  the same under `torch.compile`, which leaves nn.LSTM itself as it is.
"""

import sys
from pathlib import Path

import numpy
import torch
from protocol import serve
from torch import nn

VOCABULARY, EMBEDDING, UNITS = 10_000, 64, 64
LR = 1e-3


class Classifier(nn.Module):
    """Vectors `[B, T, F]` or token ids `[B, T]` -> logits `[B]`."""

    def __init__(self, features: int | None, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(VOCABULARY, EMBEDDING, padding_idx=0) if features is None else None
        self.lstm = nn.LSTM(features or EMBEDDING, UNITS, batch_first=True)
        self.dense = nn.Linear(UNITS, 1)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        if self.embedding is None or lengths is None:
            return self.dense(self.lstm(x)[0][:, -1]).squeeze(1)
        vectors = self.embedding(x)
        if self.packed:
            packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
            return self.dense(self.lstm(packed)[1][0][-1]).squeeze(1)
        outputs = self.lstm(vectors)[0]
        last = outputs[torch.arange(len(x), device=x.device), lengths - 1]
        return self.dense(last).squeeze(1)


def batches(folder: Path, size: int) -> list[tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]]:
    """All batches of the data, as a loader would hand them over; rows of text begin at the first step."""
    x, y = numpy.load(folder / "x.npy"), numpy.load(folder / "y.npy")
    whole = range(0, len(x) - size + 1, size)
    if x.ndim == 3:
        values, labels = torch.from_numpy(x), torch.from_numpy(y)
        return [(values[at : at + size], None, labels[at : at + size]) for at in whole]
    found = []
    for at in whole:
        rows = [row[row != 0] for row in x[at : at + size]]
        lengths = torch.tensor([max(len(row), 1) for row in rows])
        aligned = torch.zeros(size, int(lengths.max()), dtype=torch.int64)
        for into, row in zip(aligned, rows):
            into[: len(row)] = torch.from_numpy(row)
        found.append((aligned, lengths, torch.from_numpy(y[at : at + size])))
    return found


def main(data: str, batch_size: str, threads: str, mode: str) -> None:
    if mode != "plain":
        torch.set_flush_denormal(True)  # before the threads start: they inherit it
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    parts = batches(Path(data), int(batch_size))
    features = parts[0][0].shape[2] if parts[0][1] is None else None
    loss_of = nn.BCEWithLogitsLoss()
    at = 0

    def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
        model = Classifier(features, packed=mode == "plain")
        optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True if mode != "plain" else None)
        if mode == "compiled":
            model = torch.compile(model, dynamic=features is None)
        return model, optimizer

    kept = fresh()

    def run(steps: int) -> float:
        nonlocal at
        model, optimizer = fresh() if mode == "plain" else kept
        loss = torch.zeros(())
        for _ in range(steps):
            x, lengths, y = parts[at % len(parts)]
            at += 1
            optimizer.zero_grad()
            loss = loss_of(model(x, lengths), y)
            loss.backward()
            optimizer.step()
        return loss.item()

    # Two steps warm a new model's surroundings; text has a shape of its own in each batch.
    serve(run, {"torch": torch.__version__}, warm_up=2 if features else 4)


if __name__ == "__main__":
    main(*sys.argv[1:])
