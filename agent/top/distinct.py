"""How many different ones there were, up to a limit. Pure."""


class Distinct:
    """A set that stops to grow. `more`: there were more than it holds."""

    __slots__ = ("_limit", "_seen", "more")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: set[str] = set()
        self.more = False

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, one: str) -> None:
        """One more, or the same again."""
        if len(self._seen) < self._limit:
            self._seen.add(one)
        elif one not in self._seen:
            self.more = True
