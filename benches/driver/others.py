"""How much of the processors other processes took in a turn: a number without that is worth little here, since
threads that wait for each other at barriers suffer far more from a busy processor than its share."""

import os
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Watch:
    """Begins when it is made; `share` is of all processors, from 0 to 1."""

    def __init__(self, pids: list[int]) -> None:
        self.pids = pids
        self.before = self.now()

    def now(self) -> tuple[float, float, float]:
        """The clock, and seconds of processors: all that were busy or stolen by the host, and our own."""
        user, nice, system, _, _, irq, soft, stolen = map(int, Path("/proc/stat").read_text().split(maxsplit=9)[1:9])
        own = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            own += int(fields[11]) + int(fields[12])
        return time.monotonic(), (user + nice + system + irq + soft + stolen) / TICKS, own / TICKS

    def share(self, ended: float = 0.0) -> float:
        """`ended`: seconds of processors that processes of ours took which are no more."""
        (began, busy, own), (now, busy_now, own_now) = self.before, self.now()
        taken = (busy_now - busy) - (own_now - own) - ended
        # Ticks are coarse, so short turns can come out beyond both ends.
        return min(1.0, max(0.0, taken / max(1e-9, (now - began) * (os.cpu_count() or 1))))
