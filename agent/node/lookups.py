"""Which name did this container last look an address up by? So that a connection carries a name.

A program may keep an address longer than the answer's time to live, so an answer counts some time beyond it.
"""

from collections import OrderedDict

from model.event import Dns

PER_CONTAINER = 256
ADDRESSES = 32  # of one answer
_GRACE_NS = 60_000_000_000
_LONGEST_S = 86_400


class Lookups:
    """The last answers of each container: `limit` addresses, those not asked for again go first."""

    def __init__(self, limit: int = PER_CONTAINER) -> None:
        self._limit = limit
        self._names: dict[int, OrderedDict[str, tuple[str, int]]] = {}
        self.evicted = 0  # addresses that had to give way

    def take(self, container: int, event: Dns) -> None:
        """A DNS answer. Names that were asked for count, not the aliases on the way."""
        if event.rcode or not event.addresses:
            return
        names = self._names.setdefault(container, OrderedDict())
        until_ns = event.time_ns + min(max(event.ttl_s, 0), _LONGEST_S) * 1_000_000_000 + _GRACE_NS
        for address in event.addresses[:ADDRESSES]:
            names[address] = (event.name, until_ns)
            names.move_to_end(address)
        while len(names) > self._limit:
            names.popitem(last=False)
            self.evicted += 1

    def name(self, container: int, address: str, now_ns: int) -> str:
        """The name, or "" if this container didn't look it up lately."""
        names = self._names.get(container)
        found = names.get(address) if names else None
        return found[0] if found and found[1] >= now_ns else ""

    def forget(self, container: int) -> None:
        """The container left the table."""
        self._names.pop(container, None)
