"""The line protocol of benches/README.md: for each number N on standard input, N steps and a line of JSON."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any


def say(steps: int, seconds: float, loss: float, **more: Any) -> None:
    print(json.dumps({"steps": steps, "seconds": seconds, "loss": loss, **more}), flush=True)


def serve(run: Callable[[int], float], versions: dict[str, str], warm_up: int) -> None:
    """`run` makes so many steps and gives the loss of the last one, waiting for it."""

    def timed(steps: int, **more: Any) -> None:
        started = time.perf_counter()
        loss = run(steps)
        say(steps, time.perf_counter() - started, loss, **more)

    run(warm_up)
    timed(warm_up, versions=versions)
    for line in sys.stdin:
        timed(int(line))
