"""A whole study by the clock, start-up and preparation of the data included: `experiments/seed_comparison.yaml`
with one seed (three arms, ten epochs) against a Keras script that does the same (benches/peers/keras_study.py).

Whole commands are run one after the other, since they take minutes; peak memory is of the largest process.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

from . import places
from .contenders import Contender
from .others import Watch
from .process import bind
from .rounds import Options, Outcome

EPOCHS = 10
# Keras on torch would take hours.
TAKE_PART = ["fused", "libtorch", "keras-tensorflow", "keras-tensorflow-xla", "keras-jax"]


@dataclass
class Study:
    contender: str
    epochs: int
    seconds: float
    peak_bytes: int
    # What other processes took of the machine meanwhile, from 0 to 1.
    others: float


def measure(
    contenders: list[Contender], programs: dict[str, str], epochs: int, options: Options, outcome: Outcome
) -> list[Study]:
    found = []
    for contender in [c for c in contenders if c.name in TAKE_PART]:
        name = contender.name
        print(f"bench: end to end: {name}, {epochs} epochs ...", file=sys.stderr)
        program = programs[contender.environment]
        command = ours(name, epochs, options) if contender.ours else keras(program, contender.mode, epochs, options)
        study = timed(name, command, contender.variables(options.threads), epochs, options)
        if isinstance(study, Study):
            found.append(study)
        else:
            outcome.not_run.append({"contender": name, "where": "end to end", "why": study})
    return found


def ours(engine: str, epochs: int, options: Options) -> list[str]:
    # A new folder, beside which the prepared data are kept: so they are prepared anew.
    folder = places.MADE / "study"
    shutil.rmtree(folder, ignore_errors=True)
    settings = ["study.seeds=1", f"train.epochs={epochs}", f"train.engine={engine}"]
    sets = [word for setting in settings for word in ("--set", setting)]
    run = [str(places.BATCHSCOPE), "run", str(places.EXPERIMENT), "--out", str(folder / engine), "--device", "cpu"]
    return [*run, "--workers", str(options.threads), *sets]


def keras(program: str, mode: str, epochs: int, options: Options) -> list[str]:
    script = places.PEERS / "keras_study.py"
    return [program, str(script), str(places.REVIEWS), str(options.threads), str(epochs), mode]


def timed(name: str, command: list[str], variables: dict[str, str], epochs: int, options: Options) -> Study | str:
    places.LOGS.mkdir(parents=True, exist_ok=True)
    with (places.LOGS / f"end-to-end-{name}.log").open("w") as log:
        watch, started = Watch([]), time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=places.ROOT,
            env=variables,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: bind(options.processors),
        )
        # The peak of the process, or of the largest of those that it waited for.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return f"ended with {process.returncode}: see {places.LOGS.relative_to(places.ROOT)}"
    others = watch.share(usage.ru_utime + usage.ru_stime)
    return Study(name, epochs, seconds, usage.ru_maxrss * 1024, others)
