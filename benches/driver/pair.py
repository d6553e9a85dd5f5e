"""Two runs at once on two processors against one run alone: each run has one thread and one processor.

In each turn both runs train alone, one after the other, then together: the slower of two alone counts too, so
that one slow processor does not look like two that hinder each other.
"""

import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from .contenders import Contender
from .environments import Unavailable
from .others import Watch
from .process import Process
from .rounds import Options, Outcome, quartiles

WORKLOAD = "pair"


@dataclass
class Pair:
    contender: str
    batch_size: int
    # Seconds of the slower of two runs at once by those of the slower of the two alone, turn by turn.
    ratios: list[float]
    median: float
    quartiles: tuple[float, float]
    # What other processes took of the machine while both trained, turn by turn, from 0 to 1.
    others: list[float]


def measure(
    data: Path, batch_size: int, contenders: list[Contender], programs: dict[str, str], options: Options, outcome: Outcome
) -> list[Pair]:
    found = []
    for contender in contenders:
        print(f"bench: {WORKLOAD} {batch_size}: {contender.name} ...", file=sys.stderr)
        try:
            ratios, others = ratios_of(contender, contender.command(programs[contender.environment], data, batch_size, 1), options)
        except Unavailable as why:
            where = f"{WORKLOAD} {batch_size}"
            outcome.not_run.append({"contender": contender.name, "where": where, "why": str(why)})
            continue
        found.append(Pair(contender.name, batch_size, ratios, statistics.median(ratios), quartiles(ratios), others))
    return found


def ratios_of(contender: Contender, command: list[str], options: Options) -> tuple[list[float], list[float]]:
    runs: list[Process] = []
    try:
        for processor in options.processors[:2]:
            runs.append(Process(contender, command, 1, [processor], label=f"-on-{processor}"))
        steps = max(1, round(options.round_seconds / runs[0].seconds_per_step))
        ratios, others = [], []
        for _ in range(options.rounds):
            alone = max(run.round(steps).seconds for run in runs)
            watch = Watch([run.process.pid for run in runs])
            for run in runs:
                run.ask(steps)
            ratios.append(max([run.finish().seconds for run in runs]) / alone)
            others.append(watch.share())
        return ratios, others
    finally:
        for run in runs:
            run.kill()
