"""What was seen of a workload → the policy that would have allowed it, rule by rule with the records that it comes from.

Programs are named one by one, what the image has is one word, other paths are collapsed (see `model.collapse`), peers have their
ports. What no rule can allow (a name that is not sure, a file on a mount of the workload's own) gets none.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from msgspec.structs import replace

from model.behaviour import Path, Peer, Seen, Socket
from model.collapse import collapse, literal, pattern_of
from model.document import IMAGE, VERBS
from model.event import Layer
from model.glob import GlobError, check
from model.match import by_layer, by_path
from model.neighbours import egress, listen
from model.suggestion import BY_NUMBER, Rule, rule_of

MANY: Final = {"exec": 40, "load": 20, "read": 10, "write": 10, "egress": 10}
"""Names in a folder from which on it stands for all of them. Programs are the last to be named by their folder."""
DRAFTED: Final = tuple(verb for verb in VERBS if verb != "ingress")
"""Who connects to a server was not decided by it, and what was seen of that says nothing of what is right."""
FEWEST: Final = 5  # that are ever called many
RULES: Final = 200  # of one verb; where there would be more, fewer names are many, and what is still more is left out
_NOT_ALLOWED: Final = (Layer.HOST, Layer.NEW_MOUNT)  # whose names nobody can vouch for


def rules_of(seen: Iterable[Seen], *, early: bool) -> list[Rule]:
    """All rules, in the order of the document. `early`: say what happened in the first seconds only."""
    by_verb: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        by_verb[one.subject.verb].append(replace(one, early_only=early and one.early_only))
    return [rule for verb in DRAFTED for rule in _of_verb(verb, by_verb[verb])]


def _of_verb(verb: str, seen: list[Seen]) -> list[Rule]:
    found = _narrow(lambda many: _rules(verb, seen, many), MANY.get(verb, 10))
    return sorted(found, key=lambda rule: rule.order)


def _narrow(make: Callable[[int], list[Rule]], many: int) -> list[Rule]:
    """As few rules as are readable: the fewer names are many, the fewer rules. What is over is left out, and found so."""
    found = make(many)
    while len(found) > RULES and many > FEWEST:
        many = max(FEWEST, many // 2)
        found = make(many)
    return sorted(found, key=lambda rule: (-rule.times, rule.order))[:RULES]


def _rules(verb: str, seen: list[Seen], many: int) -> list[Rule]:
    paths = [(one.subject, one) for one in seen if isinstance(one.subject, Path)]
    peers = [(one.subject, one) for one in seen if isinstance(one.subject, Peer)]
    sockets = [(one.subject, one) for one in seen if isinstance(one.subject, Socket)]
    made = _paths(verb, paths, many)
    made += egress(peers) if verb == "egress" else listen(peers)
    return made + _sockets(sockets, many)


def _paths(verb: str, seen: list[tuple[Path, Seen]], many: int) -> list[Rule]:
    image = [one for path, one in seen if _is_word(verb, path)]
    rules = [rule_of(verb, IMAGE, image)] if verb in ("load", "read") else []
    groups: defaultdict[tuple[tuple[str, ...], bool], list[tuple[Path, Seen]]] = defaultdict(list)
    for path, one in seen:
        if not _is_word(verb, path) and _can_be_named(path):
            groups[_from(verb, path), path.layer == Layer.PROC_SELF.number].append((path, one))
    for (layers, _), members in sorted(groups.items()):
        by_path = defaultdict(list)
        for path, one in members:
            by_path[path.path].append(one)
        for pattern, paths in collapse(by_path, many).items():
            of_it = [one for path in paths for one in by_path[path]]
            rules.append(rule_of(verb, _any_process(pattern, of_it), of_it, layers=layers))
    return rules


def _is_word(verb: str, path: Path) -> bool:
    """What the word `image` stands for."""
    return verb in ("load", "read") and path.layer == Layer.IMAGE.number and by_layer(path.flags)


def _can_be_named(path: Path) -> bool:
    if BY_NUMBER[path.layer] in _NOT_ALLOWED or not by_path(path.flags):
        return False
    return _is_pattern("".join(literal(char) for char in path.path))


def _is_pattern(text: str) -> bool:
    try:
        check(text)
    except GlobError:
        return False
    return True


def _from(verb: str, path: Path) -> tuple[str, ...]:
    """What has to be said of the layer. Programs and code are the image's unless said; what is read and written is anywhere."""
    layer = BY_NUMBER[path.layer]
    if verb == "exec":
        return () if layer is Layer.IMAGE else (layer.name.lower(),)
    return (layer.name.lower(),) if verb == "load" or layer in (Layer.PROC_OTHER, Layer.MEMFD) else ()


def _any_process(pattern: str, seen: list[Seen]) -> str:
    """Process ids are folded to 0 in what rules are compared with: any one, for people."""
    processes = (Layer.PROC_SELF.number, Layer.PROC_OTHER.number)
    if not all(isinstance(one.subject, Path) and one.subject.layer in processes for one in seen):
        return pattern
    return "/".join("*" if name == "0" else name for name in pattern.split("/"))


def _sockets(seen: list[tuple[Socket, Seen]], many: int) -> list[Rule]:
    by_name: defaultdict[str, list[Seen]] = defaultdict(list)
    for socket, one in seen:
        if socket.abstract:
            by_name["unix:@" + "/".join(pattern_of(part) for part in socket.name[1:].split("/"))].append(one)
    files = defaultdict(list)
    for socket, one in seen:
        if not socket.abstract and by_path(socket.flags) and _is_pattern(literal(socket.name)):
            files[socket.name].append(one)
    for pattern, paths in collapse(files, many).items():
        by_name[f"unix:{pattern}"] += [one for path in paths for one in files[path]]
    return [rule_of("egress", name, members) for name, members in by_name.items() if _is_socket(name)]


def _is_socket(name: str) -> bool:
    """An abstract name is any bytes: those that can't be written as a pattern get no rule."""
    where = name.removeprefix("unix:")
    parts = [part if part not in ("", ".", "..") else "x" for part in where.removeprefix("@").split("/")]
    return where != "@" and _is_pattern(where if not where.startswith("@") else "/" + "/".join(parts))
