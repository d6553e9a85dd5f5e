"""The arrays that all contenders of a workload read: a folder with x.npy and y.npy (f32 labels)."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy

from . import places

ROWS = 2048
STEPS, FEATURES = 200, 64
LENGTH = 200


def features() -> Path:
    """Random vectors `[2048, 200, 64]`; the label says whether the first value is positive at the end."""

    def make(folder: Path) -> None:
        generator = numpy.random.default_rng(0)
        x = generator.standard_normal((ROWS, STEPS, FEATURES), dtype=numpy.float32)
        y = (x[:, -10:, 0].mean(axis=1) > 0).astype(numpy.float32)
        save(folder, x, y)

    return made("features-1", make)


def text(contender: list[str]) -> Path:
    """Reviews as batchscope itself prepares them for `seed_comparison`: 2048 rows of its training split in a
    fixed order, cut to 200 tokens, and padded with 0 at the front, which is Keras's default."""

    def make(folder: Path) -> None:
        command = [*contender, str(folder), "--prepare", str(places.EXPERIMENT)]
        prepared = subprocess.run(command, cwd=places.ROOT, check=True, capture_output=True, text=True).stdout.strip()
        tensors = safetensors(places.ROOT / prepared)
        tokens, offsets, labels = (tensors[f"train.{name}"] for name in ("tokens", "offsets", "labels"))
        rows = numpy.random.default_rng(0).permutation(len(labels))[:ROWS]
        x = numpy.zeros((ROWS, LENGTH), dtype=numpy.int32)
        for into, row in zip(x, rows):
            found = tokens[offsets[row] : offsets[row + 1]]
            into[LENGTH - len(found) :] = found
        save(folder, x, labels[rows])

    return made("text-1", make)


def made(name: str, make) -> Path:
    """The folder of this name, made at most once."""
    folder = places.DATA / name
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def save(folder: Path, x: numpy.ndarray, y: numpy.ndarray) -> None:
    numpy.save(folder / "x.npy", x)
    numpy.save(folder / "y.npy", y)


def safetensors(path: Path) -> dict[str, numpy.ndarray]:
    """The arrays of a safetensors file: a length, a JSON header, then the values."""
    types = {"F32": "<f4", "I32": "<i4", "U64": "<u8"}
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    found = {}
    for name, entry in json.loads(content[8:start]).items():
        if name != "__metadata__" and entry["dtype"] in types:
            first, last = entry["data_offsets"]
            values = numpy.frombuffer(content[start + first : start + last], types[entry["dtype"]])
            found[name] = values.reshape(entry["shape"])
    return found


def mean_length(folder: Path) -> float:
    """Tokens of a row that are not padding, on average."""
    return float((numpy.load(folder / "x.npy") != 0).sum(axis=1).mean())
