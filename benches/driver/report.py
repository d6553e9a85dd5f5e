"""What was measured, as Markdown that a terminal shows well too."""

import statistics
from collections.abc import Container
from dataclasses import dataclass, field

from .contenders import CONTENDERS
from .end_to_end import Study
from .machine import Machine
from .pair import Pair
from .rounds import Measured, Options, Outcome, quartiles

ABOUT = {contender.name: contender.about for contender in CONTENDERS}
OURS = [contender.name for contender in CONTENDERS if contender.ours]
KERAS = ["keras-tensorflow", "keras-tensorflow-xla", "keras-jax"]
# What each of our engines is compared with: the column, and the contenders of which the fastest counts.
AGAINST = {
    "libtorch": ["libtorch"],
    "pytorch-flushed": ["pytorch-flushed"],
    "torch-compile": ["torch-compile"],
    "best Keras on TF, JAX": KERAS,
    "keras-torch": ["keras-torch"],
    "pytorch": ["pytorch"],
    "best Burn": ["burn-flex", "burn-cpu"],
}
TITLES = {
    "features": "Float features: 200 steps of 64 values, LSTM(64) -> Dense(1), Adam",
    "text": "Reviews: at most 200 tokens, vocabulary 10,000, Embedding(64) with a mask -> LSTM(64) -> Dense(1), Adam",
}


@dataclass
class Results:
    machine: Machine
    options: Options
    outcome: Outcome
    pairs: list[Pair] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)


def markdown(results: Results) -> str:
    parts = [head(results)]
    for workload, title in TITLES.items():
        measured = [m for m in results.outcome.measured if m.workload == workload]
        if measured:
            parts += [f"## {title}", speeds(measured), ratios(measured), yardstick(results, workload), disturbance([share for m in measured for share in m.others])]
    if results.pairs:
        parts += ["## Two runs at once against one alone, a thread each", pairs(results.pairs)]
        parts += [disturbance([share for p in results.pairs for share in p.others])]
    if results.studies:
        parts += ["## A study end to end: three arms, one seed", studies(results.studies)]
        parts += [disturbance([s.others for s in results.studies])]
    parts += ["## Who took part", who(results), missing(results)]
    return "\n\n".join(part for part in parts if part) + "\n"


def head(results: Results) -> str:
    m, o = results.machine, results.options
    lines = [
        f"Date: {m.date}. Commit: {m.commit}. {m.rust}.",
        f"Machine: {m.processor}, {m.processors} processors, {', '.join(m.flags)}, {m.memory_gib} GiB, Linux {m.kernel}.",
        f"Load before the start: {m.load:.2f}. Threads: {o.threads}. Turns: {o.rounds} of about {o.round_seconds} s each.",
        "Samples/s are training rows a second, update included: the median of the turns, and the first and third",
        "quartile. Peak memory is the process's, while training, with the data (105 MB of features) in it.",
    ]
    return "# Training speed\n\n" + "\n".join(lines)


def speeds(measured: list[Measured]) -> str:
    rows = []
    for size in sorted({m.batch_size for m in measured}):
        for m in sorted((m for m in measured if m.batch_size == size), key=lambda m: -m.median):
            share = "" if m.fraction_of_sgemm is None else f"{m.fraction_of_sgemm:.1%}"
            spread = f"{m.quartiles[0]:,.0f} to {m.quartiles[1]:,.0f}"
            rows.append([str(size), m.contender, f"{m.median:,.0f}", spread, share, megabytes(m.peak_bytes)])
    return table(["batch size", "contender", "samples/s", "quartiles", "of sgemm", "peak memory"], rows, right=[0, 2, 3, 4, 5])


def ratios(measured: list[Measured]) -> str:
    speed = {(m.contender, m.batch_size): m.median for m in measured}
    sizes = sorted({m.batch_size for m in measured})
    rows = []
    for engine in OURS:
        for size in sizes:
            if (engine, size) not in speed:
                continue
            cells = []
            for others in AGAINST.values():
                found = [speed[other, size] for other in others if (other, size) in speed and other != engine]
                cells.append(f"{speed[engine, size] / max(found):.2f}" if found else "")
            rows.append([engine, str(size), *cells])
    if not rows:
        return ""
    title = "How many times as fast as others our engines are, from the medians:\n\n"
    return title + table(["engine", "batch size", *AGAINST], rows, right=range(1, 2 + len(AGAINST)))


def yardstick(results: Results, workload: str) -> str:
    lines = []
    for place, rates in results.outcome.sgemm.items():
        if place.startswith(f"{workload} ") and rates:
            middle, (low, high) = statistics.median(rates), quartiles(rates)
            lines.append(f"{place.split()[1]}: {middle / 1e9:.0f} GF/s ({low / 1e9:.0f} to {high / 1e9:.0f})")
    return f"The sgemm rate, 2048^3, at the batch sizes: {'; '.join(lines)}." if lines else ""


def disturbance(others: list[float]) -> str:
    """Says so when the machine was not quiet."""
    middle, most = statistics.median(others), max(others)
    said = f"Other processes took {middle:.0%} of the processors in the median turn, {most:.0%} in the worst."
    return said if middle < 0.05 else f"**The machine was not quiet: do not rely on these numbers.** {said}"


def pairs(found: list[Pair]) -> str:
    rows = [[str(p.batch_size), p.contender, f"{p.median:.2f}", f"{p.quartiles[0]:.2f} to {p.quartiles[1]:.2f}"] for p in found]
    return table(["batch size", "contender", "time ratio", "quartiles"], rows, right=[0, 2, 3])


def studies(found: list[Study]) -> str:
    rows = [[s.contender, str(s.epochs), f"{s.seconds:.1f} s", megabytes(s.peak_bytes)] for s in found]
    return table(["contender", "epochs", "wall clock", "largest process"], rows, right=[1, 2, 3])


def who(results: Results) -> str:
    names = {m.contender for m in results.outcome.measured} | {p.contender for p in results.pairs}
    names |= {s.contender for s in results.studies}
    lines = []
    for name in [name for name in ABOUT if name in names]:
        versions = ", ".join(f"{k} {v}" for k, v in results.outcome.versions.get(name, {}).items())
        lines.append(f"- `{name}`: {ABOUT[name]}{f' ({versions})' if versions else ''}")
    return "\n".join(lines)


def missing(results: Results) -> str:
    why: dict[tuple[str, str], list[str]] = {}
    for entry in results.outcome.not_run:
        why.setdefault((entry["contender"], entry["why"]), []).append(entry["where"])
    lines = [f"- `{name}` ({', '.join(places)}): {reason}" for (name, reason), places in why.items()]
    return "Could not be run:\n\n" + "\n".join(lines) if lines else "Everything that was asked for was run."


def megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def table(header: list[str], rows: list[list[str]], right: Container[int]) -> str:
    """`right` are the columns that are set to the right."""
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]

    def line(row: list[str]) -> str:
        cells = [text.rjust(width) if at in right else text.ljust(width) for at, (text, width) in enumerate(zip(row, widths))]
        return f"| {' | '.join(cells)} |"

    rules = ["-" * (width + 1) + (":" if at in right else "-") for at, width in enumerate(widths)]
    return "\n".join([line(header), f"|{'|'.join(rules)}|", *map(line, rows)])
