"""One contender's process: started, asked for rounds, measured, stopped between rounds."""

import ctypes
import json
import math
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import places
from .contenders import Contender
from .environments import Unavailable
from .others import Watch

# Compiling 200 unrolled steps can take minutes; a round never should.
START_SECONDS, ROUND_SECONDS = 600, 300


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def bind(processors: Sequence[int]) -> None:
    """In a new process: keeps it on these processors, and ends it with the driver, also while it is stopped."""
    os.sched_setaffinity(0, processors)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Round:
    steps: int
    seconds: float
    loss: float
    peak_bytes: int
    # What other processes took of the machine meanwhile, from 0 to 1.
    others: float = 0.0


class Process:
    """Starts and warms a contender; it stands still (SIGSTOP) until a round is asked of it, so that no waiting
    thread of it takes time from others, whatever its runtime does while it waits."""

    def __init__(
        self, contender: Contender, command: list[str], threads: int, processors: Sequence[int], label: str = ""
    ) -> None:
        places.LOGS.mkdir(parents=True, exist_ok=True)
        self.contender = contender
        self.log = places.LOGS / f"{contender.name}{label}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=places.PEERS,
                env=contender.variables(threads),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                preexec_fn=lambda: bind(processors),
            )
        self.unread = b""
        first = self.answer(START_SECONDS)
        self.versions: dict[str, str] = first.get("versions", {})
        self.seconds_per_step = first["seconds"] / first["steps"]
        # From here on the kernel's high-water mark is that of training alone.
        self.proc("clear_refs").write_text("5")
        self.stop()

    def proc(self, name: str) -> Path:
        return Path(f"/proc/{self.process.pid}/{name}")

    def round(self, steps: int) -> Round:
        watch = Watch([self.process.pid])
        self.ask(steps)
        done = self.finish()
        done.others = watch.share()
        return done

    def ask(self, steps: int) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"{steps}\n".encode())
        self.process.stdin.flush()

    def finish(self) -> Round:
        answer = self.answer(ROUND_SECONDS)
        self.stop()
        if answer["loss"] is None or not math.isfinite(answer["loss"]):
            self.kill()
            raise Unavailable("its loss is not a finite number")
        return Round(answer["steps"], answer["seconds"], answer["loss"], self.peak())

    def peak(self) -> int:
        for line in self.proc("status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise Unavailable("this kernel keeps no VmHWM")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def answer(self, seconds: float) -> dict:
        """The next line of JSON; whatever else a framework prints is passed over."""
        deadline = time.monotonic() + seconds
        while True:
            line = self.line(deadline)
            if line.startswith(b"{"):
                return json.loads(line)

    def line(self, deadline: float) -> bytes:
        output = self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            while b"\n" not in self.unread:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    self.kill()
                    raise Unavailable("no answer in time")
                found = os.read(output.fileno(), 65536)
                if not found:
                    raise Unavailable(self.last_words())
                self.unread += found
        line, self.unread = self.unread.split(b"\n", 1)
        return line

    def last_words(self) -> str:
        code = self.process.wait()
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"[\w.]*Error: ", line)] or lines or ["no message"]
        return f"ended with {code}: {errors[-1][:200]}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
