"""Whether the agent lives, and whether it does its work: /healthz and /readyz say what is missing, not just that it is."""

import time
from collections.abc import Callable, Iterable


class Health:
    """Fed by the loop, read by the server's threads. `needs` are missing until `met` is called for each."""

    def __init__(self, needs: Iterable[str], *, stuck_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._missing = dict.fromkeys(needs, "not yet")
        self._stuck_s, self._clock = stuck_s, clock
        self._beat_s = clock()

    def beat(self) -> None:
        """The loop has made a turn and left no ring full."""
        self._beat_s = self._clock()

    def met(self, need: str) -> None:
        """It is there."""
        self._missing.pop(need, None)

    def missing(self, need: str, why: str) -> None:
        """It is not there, or not any more."""
        self._missing[need] = why

    def sick(self) -> list[str]:
        """Why the agent should be restarted; empty while it lives."""
        silent_s = self._clock() - self._beat_s
        return [f"loop: no turn for {silent_s:.0f} s"] if silent_s > self._stuck_s else []

    def unready(self) -> list[str]:
        """What is missing; empty once everything is there."""
        return [f"{need}: {why}" for need, why in list(self._missing.items())] + self.sick()
