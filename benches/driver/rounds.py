"""Training speed: all contenders of a batch size take turns, round by round, so that whatever else the machine
does meanwhile hurts all alike. The sgemm rate, the yardstick, takes its turn like a contender."""

import statistics
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .contenders import SGEMM, Contender
from .environments import Unavailable
from .process import Process, Round

# FLOP of one product of two 2048 x 2048 matrices.
SGEMM_FLOP = 2 * 2048**3


@dataclass
class Options:
    rounds: int
    round_seconds: float
    threads: int
    processors: list[int]


@dataclass
class Measured:
    """One contender at one batch size."""

    workload: str
    batch_size: int
    contender: str
    # Training rows a second, in each round.
    samples_per_second: list[float]
    steps_per_round: int
    last_loss: float
    peak_bytes: int
    # What other processes took of the machine in each round, from 0 to 1.
    others: list[float]
    median: float = 0.0
    # First and third quartile.
    quartiles: tuple[float, float] = (0.0, 0.0)
    # Of the sgemm rate of the same round; the median.
    fraction_of_sgemm: float | None = None

    def __post_init__(self) -> None:
        self.median = statistics.median(self.samples_per_second)
        self.quartiles = quartiles(self.samples_per_second)


@dataclass
class Outcome:
    measured: list[Measured] = field(default_factory=list)
    # "WORKLOAD BATCH_SIZE" -> sgemm rates in FLOP/s, round by round.
    sgemm: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    not_run: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict:
        return asdict(self)


def quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


def measure(
    workload: str,
    data: Path,
    batch_size: int,
    contenders: list[Contender],
    programs: dict[str, str],
    flop_per_sample: float,
    options: Options,
    outcome: Outcome,
) -> None:
    processes: list[Process] = []
    rounds: dict[str, list[Round]] = {}
    place = f"{workload} {batch_size}"

    def lost(contender: Contender, why: Unavailable) -> None:
        outcome.not_run.append({"contender": contender.name, "where": place, "why": str(why)})
        print(f"bench: {place}: {contender.name} cannot run: {why}", file=sys.stderr)

    try:
        for contender in [SGEMM, *contenders]:
            print(f"bench: {place}: starting {contender.name} ...", file=sys.stderr)
            command = contender.command(programs[contender.environment], data, batch_size, options.threads)
            try:
                processes.append(Process(contender, command, options.threads, options.processors))
            except Unavailable as why:
                lost(contender, why)
        for number in range(options.rounds):
            print(f"bench: {place}: round {number + 1} of {options.rounds}", file=sys.stderr)
            for process in list(processes):
                steps = max(1, round(options.round_seconds / process.seconds_per_step))
                try:
                    rounds.setdefault(process.contender.name, []).append(process.round(steps))
                except Unavailable as why:
                    processes.remove(process)
                    rounds.pop(process.contender.name, None)
                    lost(process.contender, why)
    finally:
        for process in processes:
            process.kill()

    rates = [SGEMM_FLOP * r.steps / r.seconds for r in rounds.pop(SGEMM.name, [])]
    outcome.sgemm[place] = rates
    for process in processes:
        name = process.contender.name
        if name not in rounds:
            continue
        outcome.versions[name] = process.versions
        speeds = [r.steps * batch_size / r.seconds for r in rounds[name]]
        last = rounds[name][-1]
        peak = max(r.peak_bytes for r in rounds[name])
        others = [r.others for r in rounds[name]]
        found = Measured(workload, batch_size, name, speeds, last.steps, last.loss, peak, others)
        if rates:
            shares = [speed * flop_per_sample / rate for speed, rate in zip(speeds, rates)]
            found.fraction_of_sgemm = statistics.median(shares)
        outcome.measured.append(found)
