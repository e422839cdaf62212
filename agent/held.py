"""Events of containers whose identity isn't known yet: kept for a moment, judged again when it is (decision 9)."""

from collections import OrderedDict, deque

from model.event import Event

EACH = 256  # of one container: the last ones
ALL = 8192


class Held:
    """A bounded store, by container. Belongs to the loop."""

    def __init__(self) -> None:
        self._by_container: OrderedDict[int, deque[Event]] = OrderedDict()
        self._count = 0

    def hold(self, container: int, event: Event) -> None:
        """Keep it until `release`; the oldest go first."""
        kept = self._by_container.setdefault(container, deque(maxlen=EACH))
        self._count += len(kept) < EACH
        kept.append(event)
        while self._count > ALL:
            _, oldest = self._by_container.popitem(last=False)
            self._count -= len(oldest)

    def release(self, container: int) -> list[Event]:
        """What was kept of it, oldest first; it is kept no longer."""
        kept = self._by_container.pop(container, deque())
        self._count -= len(kept)
        return list(kept)
