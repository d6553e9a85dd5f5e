"""Compares the training speed of batchscope's engines with that of the frameworks that people use.

scripts/bench starts this; benches/README.md says what is measured and how.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from . import data, end_to_end, environments, pair, report, rounds
from .contenders import CONTENDERS, EARLIER, SGEMM, Contender
from .figure import draw
from .machine import machine

# The parts and their batch sizes.
PARTS = {"features": [32, 128, 256, 1024], "text": [32, 128, 256], "pair": [32, 256], "end-to-end": []}
# Operations of a row: 8 H T (2 F + 3 H), and 8 H T F more where the gradient goes on into an embedding.
H, F = 64, 64


def main() -> int:
    chosen = arguments()
    available = sorted(os.sched_getaffinity(0))
    threads = chosen.threads or len(available)
    if threads > len(available):
        sys.exit(f"error: {threads} threads, but this process may use {len(available)} processors")
    options = rounds.Options(chosen.rounds, chosen.seconds, threads, available[:threads])
    results = report.Results(machine(), options, rounds.Outcome())
    contenders, programs = prepared(chosen.contenders, results.outcome)
    if chosen.against:
        contenders.append(EARLIER)
        programs[EARLIER.environment] = str(chosen.against)
    for part in chosen.only:
        # What was measured is kept, whatever comes.
        for size in [0] if part == "end-to-end" else chosen.batch_sizes or PARTS[part]:
            measure(part, size, contenders, programs, chosen.epochs, results)
            save(results, chosen.out)
    print(report.markdown(results))
    print(f"bench: written to {chosen.out}: results.md, results.json, figures", file=sys.stderr)
    return 0


def prepared(names: list[str], outcome: rounds.Outcome) -> tuple[list[Contender], dict[str, str]]:
    """The contenders of these names that can be run, and their environments' programs."""
    asked = [c for c in CONTENDERS if c.name in names]
    programs, missing = environments.programs(c.environment for c in [SGEMM, *asked])
    if SGEMM.environment in missing:
        sys.exit(f"error: {missing[SGEMM.environment]}")
    for contender in CONTENDERS:
        why = contender.apart if contender not in asked else missing.get(contender.environment)
        if why:
            outcome.not_run.append({"contender": contender.name, "where": "everywhere", "why": why})
    return [c for c in asked if c.environment in programs], programs


def measure(
    part: str, size: int, contenders: list[Contender], programs: dict[str, str], epochs: int, results: report.Results
) -> None:
    options, outcome = results.options, results.outcome
    if part == "end-to-end":
        results.studies = end_to_end.measure(contenders, programs, epochs, options, outcome)
    elif part == "pair" and options.threads < 2:
        outcome.not_run.append({"contender": "all", "where": part, "why": "it takes two processors"})
    elif part == "pair":
        results.pairs += pair.measure(data.features(), size, contenders, programs, options, outcome)
    elif part == "text":
        folder = data.text([programs[SGEMM.environment]])
        flop = 8 * H * data.mean_length(folder) * (3 * F + 3 * H)
        rounds.measure(part, folder, size, contenders, programs, flop, options, outcome)
    else:
        flop = 8 * H * data.STEPS * (2 * F + 3 * H)
        rounds.measure(part, data.features(), size, contenders, programs, flop, options, outcome)


def save(results: report.Results, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(asdict(results), indent=1) + "\n")
    (folder / "results.md").write_text(report.markdown(results))
    draw(results, folder)


def arguments() -> argparse.Namespace:
    def names(known):
        def parse(text: str) -> list[str]:
            found = text.split(",")
            for name in found:
                if name not in known:
                    raise argparse.ArgumentTypeError(f"`{name}` is none of {', '.join(known)}")
            return found

        return parse

    def positive(text: str) -> int:
        if not text.isdigit() or int(text) == 0:
            raise argparse.ArgumentTypeError(f"`{text}` is not a number from 1 on")
        return int(text)

    def sizes(text: str) -> list[int]:
        found = [positive(size) for size in text.split(",")]
        if max(found) > data.ROWS:
            raise argparse.ArgumentTypeError(f"the data has {data.ROWS} rows")
        return found

    def program(text: str) -> Path:
        if not os.access(text, os.X_OK) or not os.path.isfile(text):
            raise argparse.ArgumentTypeError(f"`{text}` is no program")
        return Path(text).resolve()

    everyone = [c.name for c in CONTENDERS]
    usual_sizes = "; ".join(f"{part} {','.join(map(str, sizes))}" for part, sizes in PARTS.items() if sizes)
    usual = [c.name for c in CONTENDERS if c.apart is None]
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Compares the training speed of batchscope with that of the frameworks that people use.",
        epilog="The first time it installs the frameworks under target/bench (3 GB). Keep the machine quiet meanwhile.",
    )
    add = parser.add_argument
    add("--only", type=names(list(PARTS)), default=list(PARTS), metavar="PART,...", help=f"of {', '.join(PARTS)}")
    add("--contenders", type=names(everyone), default=usual, metavar="NAME,...", help=f"of {', '.join(everyone)} (default: all but the last)")
    add("--against", type=program, metavar="PROGRAM", help="another build's contender (target/debug/deps/contender-*), kept from before a change: takes part too")
    add("--batch-sizes", type=sizes, metavar="B,...", help=f"in place of {usual_sizes}")
    add("--rounds", type=positive, default=9, help="how often each contender takes its turn (default: %(default)s)")
    add("--seconds", type=float, default=1.0, help="about how long a turn is (default: %(default)s)")
    add("--epochs", type=positive, default=end_to_end.EPOCHS, help="of the study end to end (default: %(default)s)")
    add("--threads", type=positive, help="threads, and processors, of each contender (default: all processors)")
    add("--out", type=Path, default=Path("target/bench/results"), help="folder of the results (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
