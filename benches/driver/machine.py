"""Where and with what was measured."""

import datetime
import os
import platform
import subprocess
from dataclasses import dataclass

from . import places


@dataclass
class Machine:
    processor: str
    # Those that matter for vector code.
    flags: list[str]
    processors: int
    memory_gib: float
    kernel: str
    date: str
    commit: str
    rust: str
    # Average number of waiting processes in the minute before: above 0, something else was running.
    load: float


def machine() -> Machine:
    info = [line.partition(":") for line in read("/proc/cpuinfo").splitlines()]
    fields = {key.strip(): value.strip() for key, _, value in reversed(info)}
    known = set(fields.get("flags", "").split())
    wanted = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")
    memory = {line.split(":")[0]: line.split()[1] for line in read("/proc/meminfo").splitlines()}
    family = f"family {fields.get('cpu family', '?')}, model {fields.get('model', '?')}"
    return Machine(
        processor=f"{fields.get('model name', 'unknown')} ({family})",
        flags=[flag for flag in wanted if flag in known],
        processors=len(os.sched_getaffinity(0)),
        memory_gib=round(int(memory["MemTotal"]) / 2**20, 1),
        kernel=platform.release(),
        date=datetime.date.today().isoformat(),
        commit=output("git", "describe", "--always", "--dirty", "--exclude", "*"),
        rust=output("rustc", "--version"),
        load=os.getloadavg()[0],
    )


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def output(*command: str) -> str:
    done = subprocess.run(command, cwd=places.ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
