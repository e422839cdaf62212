"""Events of containers that have no name yet: kept for a moment, judged when they have one.

Nothing is dropped: what finds no room is given back, to be written without a name.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence

from model.event import Event

EACH = 512  # of one container
ALL = 8192


class Held:
    """A bounded store, by container. Belongs to the loop."""

    def __init__(self) -> None:
        self._by_container: OrderedDict[int, deque[Event]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def hold(self, container: int, event: Event) -> Sequence[Event]:
        """Keep it until `release`. What had to give way, oldest first."""
        kept = self._by_container.setdefault(container, deque())
        kept.append(event)
        self._count += 1
        if len(kept) > EACH:
            self._count -= 1
            return (kept.popleft(),)
        if self._count > ALL:
            return self.release(next(iter(self._by_container)))
        return ()

    def release(self, container: int) -> list[Event]:
        """What was kept of it, oldest first; it is kept no longer."""
        kept = self._by_container.pop(container, deque())
        self._count -= len(kept)
        return list(kept)

    def release_all(self) -> list[Event]:
        """Everything: the agent ends."""
        return [event for container in list(self._by_container) for event in self.release(container)]
