"""YAML → nodes that know where they stand. Bounded, so that no text costs more than a moment.

Built from libyaml's events without recursion. Scalars stay text, whatever YAML 1.1 would make of them (`no`, `1:30`, `010`):
a policy's fields are words, paths and ports. Only an empty value and `null` are None.
"""

from collections.abc import Sequence
from typing import NoReturn

import yaml
from msgspec import Struct

from model.problem import Code, Mark, PolicyError, Problem, Text, shown

LARGEST = 1 << 20  # bytes of one text
DEEPEST = 32  # nested lists and mappings
ALIASES = 16  # in one text
VALUES = 10_000  # in one text, what aliases repeat included
_PLAIN_TAGS = {None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}

Plain = str | list["Plain"] | dict[str, "Plain"] | bool


class Node(Struct):
    """A value and its place. `keys` has the places of a mapping's keys."""

    value: "str | list[Node] | dict[str, Node] | None"
    mark: Mark
    size: int = 1  # values in it, itself included
    keys: dict[str, Mark] = {}

    def plain(self) -> Plain:
        """The value alone; False for an empty one, which no field takes. As deep as DEEPEST at most."""
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        return self.value if self.value is not None else False

    def find(self, place: Sequence[str | int]) -> "Node":
        """The node at a place, or the last one on the way to it."""
        node = self
        for step in place:
            node = node.child(step) or node
        return node

    def child(self, step: str | int) -> "Node | None":
        """A field of a mapping or an item of a list."""
        if isinstance(self.value, dict):
            return self.value.get(step) if isinstance(step, str) else None
        if isinstance(self.value, list):
            return self.value[step] if isinstance(step, int) and step < len(self.value) else None
        return None


def read(text: Text) -> list[Node]:
    """The documents of a text, without empty ones. Raises PolicyError."""
    _check_size(text)
    composer = _Composer(text)
    try:
        for event in yaml.parse(text.text, Loader=yaml.CSafeLoader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_syntax(text, error))
    except yaml.reader.ReaderError as error:
        before = text.text.encode()[: error.position]  # libyaml counts bytes
        at = text.mark_at(len(before.decode(errors="ignore")))
        message = f"a character that YAML does not allow: {error.reason}"
        hint = "text is UTF-8 without control characters: is it another kind of file?"
        composer.problems.append(text.problem(at, message, hint, code=Code.SYNTAX))
    if composer.problems:
        raise PolicyError(composer.problems)
    return composer.documents


def _check_size(text: Text) -> None:
    try:
        size = len(text.text.encode())
    except UnicodeEncodeError as error:
        problem = text.problem(text.mark_at(error.start), "not valid UTF-8", "write the file as UTF-8", code=Code.SYNTAX)
        raise PolicyError([problem]) from error
    if size > LARGEST:
        message, hint = f"{size:,} bytes; a policy file has at most {LARGEST:,}", "split it into several files"
        raise PolicyError([text.problem(Mark(1, 1), message, hint, code=Code.TOO_LARGE)])


def _syntax(text: Text, error: yaml.MarkedYAMLError) -> Problem:
    at = error.problem_mark or error.context_mark
    mark = Mark(at.line + 1, at.column + 1) if at else Mark(1, 1)
    context = f" {error.context}" if error.context else ""
    hint = "indent with spaces" if "\t" in (error.problem or "") or "'\\t'" in str(error) else ""
    return text.problem(mark, f"not YAML: {error.problem or 'syntax error'}{context}", hint, code=Code.SYNTAX)


class _Open:
    """A list or mapping whose end has not come yet."""

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.key: tuple[str, Mark] | None = None  # of the value that comes next
        self.skip = False  # a value after a key that can't be used


class _Composer:
    def __init__(self, text: Text) -> None:
        self.documents: list[Node] = []
        self.problems: list[Problem] = []
        self._text = text
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._aliases = 0
        self._values = 0

    def take(self, event: yaml.Event) -> None:
        """One event. Raises PolicyError at once where going on could cost too much."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self._stack.pop()
            self._name(done.anchor, done.node)
            self._put(done.node)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentEndEvent):
            self._anchors.clear()

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        empty = event.implicit[0] and event.value in ("", "~", "null", "Null", "NULL")
        node = Node(None if empty else event.value, _mark(event))
        self._count(1, node.mark)
        self._name(event.anchor, node)
        self._put(node)

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        self._check_tag(event)
        mark = _mark(event)
        self._count(1, mark)
        if len(self._stack) >= DEEPEST:
            self._stop(mark, f"nested deeper than {DEEPEST} levels", "a policy has no more than eight")
        node = Node([], mark) if isinstance(event, yaml.SequenceStartEvent) else Node({}, mark, keys={})
        self._stack.append(_Open(node, event.anchor))

    def _alias(self, event: yaml.AliasEvent) -> None:
        mark = _mark(event)
        self._aliases += 1
        if self._aliases > ALIASES:
            self._stop(mark, f"more than {ALIASES} aliases", "write the values out")
        node = self._anchors.get(event.anchor or "")
        if node is None:
            hint = f"write &{event.anchor} before the value; a text that begins with * stands in quotes"
            self._stop(mark, f"no value before this is named {shown(event.anchor)}", hint, Code.SYNTAX)
        self._count(node.size, mark)
        self._put(Node(node.value, mark, node.size, node.keys))

    def _put(self, node: Node) -> None:
        if not self._stack:
            if node.value is not None:
                self.documents.append(node)
            return
        above = self._stack[-1]
        above.node.size += node.size
        if isinstance(above.node.value, list):
            above.node.value.append(node)
        elif isinstance(above.node.value, dict):
            self._put_field(above, above.node.value, node)

    def _put_field(self, above: _Open, fields: dict[str, Node], node: Node) -> None:
        if above.skip:
            above.skip = False
        elif above.key is not None:
            name, mark = above.key
            above.key = None
            fields[name] = node
            above.node.keys[name] = mark
        elif not isinstance(node.value, str):
            self._complain(node.mark, "a field's name must be a word", "a text with other characters stands in quotes")
            above.skip = True
        elif node.value in fields:
            first = above.node.keys[node.value]
            hint = f"the first one is in line {first.line}"
            self._complain(node.mark, f"duplicate field {shown(node.value)}", hint, Code.DUPLICATE)
            above.skip = True
        else:
            above.key = (node.value, node.mark)

    def _name(self, anchor: str | None, node: Node) -> None:
        if anchor is not None:
            self._anchors[anchor] = node

    def _check_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag not in _PLAIN_TAGS:
            self._complain(_mark(event), f"tag {shown(tag)}: policies use no tags", "leave it out")

    def _count(self, values: int, mark: Mark) -> None:
        self._values += values
        if self._values > VALUES:
            self._stop(mark, f"more than {VALUES:,} values", "split it into several files")

    def _complain(self, mark: Mark, message: str, hint: str, code: Code = Code.SYNTAX) -> None:
        self.problems.append(self._text.problem(mark, message, hint, code=code))

    def _stop(self, mark: Mark, message: str, hint: str, code: Code = Code.TOO_LARGE) -> NoReturn:
        raise PolicyError([*self.problems, self._text.problem(mark, message, hint, code=code)])


def _mark(event: yaml.Event) -> Mark:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        return Mark(1, 1)
    width = end.column - start.column if end.line == start.line else 1
    return Mark(start.line + 1, start.column + 1, max(1, width))
