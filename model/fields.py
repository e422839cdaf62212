"""What single fields of a policy may say: each check takes the text as written and gives it back, or refuses it with a hint.

Checks raise PydanticCustomError with a message for people; its context may have `hint` and `at` (characters from the value's
beginning).
"""

import re
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, NoReturn

from pydantic_core import PydanticCustomError

from model.event import Layer, Session
from model.glob import Glob, GlobError, check, check_word
from model.problem import nearest, shown
from model.verdict import Mode, Severity

IMAGE = "image"
VERBS = ("exec", "load", "read", "write", "egress", "ingress", "listen")
REQUIREMENTS = ("image", "privileges")
JUDGED = VERBS + REQUIREMENTS
LAYERS = {layer.name.lower(): layer for layer in Layer if layer is not Layer.HOST}
SESSIONS = {session.value: session for session in Session if session is not Session.RUNTIME}
LATER_SESSIONS = ("probe", "debug")  # told apart only where Kubernetes says so
PROTOCOLS = ("tcp", "udp", "sctp")
LONGEST_STARTUP_S = 3600
LATEST_YEAR = 2200  # nanoseconds since 1970 stay in 64 bits
_PIDS = ("1", "7", "10", "42", "999", "4194304")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DURATION = re.compile(r"([1-9][0-9]{0,5})(s|m|h)")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REGISTRY = re.compile(r"(?=.{1,253}$)[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")


def refuse(message: str, hint: str = "", at: int = 0) -> NoReturn:
    """Say what is wrong with a value."""
    raise PydanticCustomError("vedette", "{message}", {"message": message, "hint": hint, "at": at})


def one_of(word: str, known: tuple[str, ...], what: str, many: str) -> str:
    """One of some words; `what` it is, and what several are called."""
    if word not in known:
        refuse(f"unknown {what} {shown(word)}", nearest(word, known) or f"{many}: {', '.join(known)}")
    return word


def path(text: str) -> str:
    """A pattern of paths in normal form."""
    try:
        check(text)
    except GlobError as error:
        refuse(f"{shown(text)}: {error}", error.hint, error.at)
    _check_process_folder(text)
    return text


def _check_process_folder(text: str) -> None:
    """Process ids are no behaviour: the kernel's key does not tell them apart, so no rule may."""
    names = text.split("/")
    if names[1] != "proc" or len(names) < 3 or names[2] == "**":
        return
    glob = Glob("/" + names[2])
    if len({glob.matches("/" + pid) for pid in _PIDS}) > 1 or names[2] in _PIDS or names[2].isdigit():
        rest = "/".join(("", *names[3:]))
        refuse(
            f"{shown(text)}: process ids are not told apart",
            f'write "/proc/self{rest}" or "/proc/*{rest}", with "from: [proc_other]" for other processes only',
        )


def path_or_image(text: str) -> str:
    """A path, or the word image."""
    if text == IMAGE:
        return text
    if "/" not in text:
        hint = nearest(text, [IMAGE]) or 'write a path that begins with "/", or image'
        refuse(f"{shown(text)} is neither a path nor the word image", hint)
    return path(text)


def layer(word: str) -> str:
    """A layer that files may be from."""
    return one_of(word, tuple(LAYERS), "layer", "layers")


def mode(word: str) -> str:
    """A mode."""
    return one_of(word, tuple(Mode), "mode", "modes")


def severity(word: str) -> str:
    """A severity."""
    return one_of(word, tuple(Severity), "severity", "severities")


def session(word: str) -> str:
    """A session; the runtime's own steps are not judged, so no rule is about them."""
    if word == Session.RUNTIME.value:
        refuse("the runtime's own steps are not judged", "leave it out")
    return one_of(word, (*SESSIONS, *LATER_SESSIONS), "session", "sessions")


def startup(text: str) -> str:
    """How long a start-up takes: `30s`, `2m`."""
    if not _DURATION.fullmatch(text):
        refuse(f"{shown(text)} is no duration", 'for example "30s" or "2m"')
    if seconds(text) > LONGEST_STARTUP_S:
        refuse(f"{shown(text)} is longer than a start-up: at most 1h", "leave startup out where it holds always")
    return text


def seconds(text: str) -> int:
    """The seconds of a duration that `startup` took."""
    return int(text[:-1]) * _SECONDS[text[-1]]


def argument(text: str) -> str:
    """One argument, or a pattern of one."""
    try:
        check_word(text)
    except GlobError as error:
        refuse(f"{shown(text)}: {error}", error.hint, error.at)
    return text


def called(text: str) -> str:
    """The name that a program is called by: a base name."""
    if not text or "/" in text:
        refuse(f"{shown(text)} is no name of a program", "the base name that it is called by, for example cat")
    return text


def network(text: str) -> IPv4Network | IPv6Network:
    """An address or CIDR. Raises PydanticCustomError."""
    try:
        found = ip_network(text.partition("%")[0] if "/" not in text else text, strict=False)
    except ValueError:
        refuse(f"{shown(text)} is no address or CIDR", _network_hint(text))
    if isinstance(found, IPv6Network) and found.subnet_of(IPv6Network("::ffff:0:0/96")):
        plain = IPv4Network((int(found.network_address) & 0xFFFFFFFF, found.prefixlen - 96))
        refuse(f"{shown(text)}: IPv4 addresses are written as IPv4", f'write "{plain}"')
    written = text.partition("/")[0]
    if "/" in text and ip_network(written).network_address != found.network_address:
        refuse(f"{shown(text)} has bits behind its prefix", f'write "{found}" for the network or "{written}" for the address')
    return found


def _network_hint(text: str) -> str:
    if text.startswith(("/", "@")):
        return f'a socket\'s file is written "unix:{text}"'
    if text.rpartition(":")[2].isdigit() and text.count(":") == 1:
        return "ports stand in a list of their own: {to: ADDRESS, ports: [443/tcp]}"
    return 'for example "10.0.0.0/8", "2001:db8::1", "*.example.com", "unix:/run/app.sock", "unix:@abstract"'


def address(text: str) -> str:
    """An address or CIDR."""
    network(text)
    return text


def peer(text: str) -> str:
    """Where a container may connect to: an address, CIDR, DNS name, or a unix socket."""
    if not text.startswith("unix:"):
        return host_name(text) if is_name(text) else address(text)
    where = text.removeprefix("unix:")
    if where.startswith("@") and len(where) > 1:
        _check_abstract(text, where[1:])
    else:
        try:
            check(where)
        except GlobError as error:
            refuse(f"{shown(text)}: {error}", error.hint, error.at + len("unix:"))
    return text


def _check_abstract(text: str, name: str) -> None:
    """An abstract name is one text, where `/` means nothing: no normal form, but the same wildcards."""
    try:
        check("/" + "/".join(part if part not in ("", ".", "..") else "x" for part in name.split("/")))
    except GlobError as error:
        refuse(f"{shown(text)}: {error}", error.hint)


def is_name(text: str) -> bool:
    """Whether a peer is meant as a DNS name, right or wrong: letters in its last part, and nothing of an address."""
    last = text.rstrip(".").rpartition(".")[2]
    return not any(char in text for char in ":/@%") and any(char.isalpha() or char == "*" for char in last)


def host_name(text: str) -> str:
    """A DNS name, or `*.` and one for all names below it."""
    name = plain_name(text)
    labels = name.removeprefix("*.").split(".")
    if "*" in name.removeprefix("*.") or name == "*":
        refuse(f"{shown(text)}: a name's wildcard is a first part of its own", 'for example "*.example.com"')
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        refuse(f"{shown(text)} is no address, CIDR, DNS name or unix: path", _network_hint(text))
    return text


def plain_name(text: str) -> str:
    """A DNS name as it is compared: without case, and without a last dot."""
    return text.lower().removesuffix(".")


def ports(text: str) -> tuple[str, int, int]:
    """`443/tcp` or `8000-9000/tcp` as (protocol, lowest, highest). Raises PydanticCustomError."""
    numbers, slash, protocol = text.partition("/")
    low, dash, high = numbers.partition("-")
    if not slash:
        refuse(f"{shown(text)} has no protocol", f'write "{text}/tcp"' if _is_port(text) else 'for example "443/tcp"')
    if protocol not in PROTOCOLS:
        hint = nearest(protocol, PROTOCOLS) or "protocols: " + ", ".join(PROTOCOLS)
        refuse(f"unknown protocol {shown(protocol)}", hint, len(numbers) + 1)
    if not _is_port(low) or (dash and not _is_port(high)):
        refuse(f"{shown(numbers)} is no port", 'ports are 0 to 65535; a range is written "8000-9000/tcp"')
    if dash and int(low) > int(high):
        refuse(f"the range {shown(numbers)} runs backwards", f'write "{high}-{low}/{protocol}"')
    return protocol, int(low), int(high or low)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535


def port_range(text: str) -> str:
    """Ports with their protocol."""
    ports(text)
    return text


def name(text: str) -> str:
    """The name of a policy, namespace or Service."""
    if not text or len(text) > 253 or not all(char.isascii() and (char.isalnum() or char in "-._") for char in text):
        refuse(f"{shown(text)} is no name", "letters, digits, '-', '.' and '_', at most 253")
    return text


def pattern(text: str) -> str:
    """A pattern of names or images."""
    if not text or len(text) > 1024:
        refuse(f"{shown(text)} is no pattern", "1 to 1024 characters")
    try:
        check("/" + text.lstrip("/"))
    except GlobError as error:
        refuse(f"{shown(text)}: {error}", error.hint)
    return text


def words(text: str) -> str:
    """What a person says: not empty, of a bounded length."""
    if not text.strip() or len(text) > 500:
        refuse(f"{shown(text)} says nothing" if not text.strip() else "longer than 500 characters", "1 to 500 characters")
    return text


def day(text: str) -> date:
    """A date as 2027-01-31. Raises PydanticCustomError."""
    try:
        found = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        found = None
    if found is None or not text.isascii():
        refuse(f"{shown(text)} is no date", "written YEAR-MONTH-DAY, for example 2027-01-31")
    if not 2000 <= found.year < LATEST_YEAR:
        refuse(f"{shown(text)}: years are 2000 to {LATEST_YEAR - 1}", "write the day that somebody looks again")
    return found


def until(text: str) -> str:
    """A date."""
    day(text)
    return text


def registry(text: str) -> str:
    """A registry's whole host, with its port where it has one, and the first parts of the path where it is more narrow."""
    if not _REGISTRY.fullmatch(text):
        hint = "the whole host, without scheme and pattern: registry.example.com, registry.example.com:5000/shop, docker.io"
        refuse(f"{shown(text)} is no registry", hint)
    return text


def digest(text: str) -> str:
    """An image's digest."""
    if not _DIGEST.fullmatch(text):
        refuse(f"{shown(text)} is no digest", "sha256: and 64 hexadecimal digits, as the registry has it")
    return text


def yes_or_no(value: Any) -> bool:  # noqa: ANN401 - whatever stands in the document
    """A truth value: texts stay text in a policy, so it is the word."""
    if value not in ("true", "false"):
        refuse(f"{shown(value)} is neither true nor false", "write true or false")
    return bool(value == "true")


def days(value: Any) -> int:  # noqa: ANN401 - as above
    """A number of days."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or not 1 <= int(value[:6]) <= 36500:
        refuse(f"{shown(value)} is no number of days", "1 to 36500")
    return int(value)
