"""Every setting, with its unit, its default, and why. The reference in the docs is generated from this file.

Later ones win: the default, the YAML file, the environment (`VEDETTE_LOG_FOLDER` is `log.folder`), the command line.
Everything that is wrong is said at once, each with the place that it came from.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from errno import EACCES
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

ENVIRONMENT = "VEDETTE_"
FILE = Path("/etc/vedette/settings.yaml")
FILE_BYTES = 1 << 20
MIB = 1 << 20

Bytes = Annotated[int, Field(ge=4096)]
Seconds = Annotated[float, Field(gt=0, le=86400)]


class SettingsError(ValueError):
    """All that is wrong with the settings, a line each."""


class Part(BaseModel):
    """A group of settings. Unknown names are errors: a typing mistake must not mean the default."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class LogSettings(Part):
    """The log on disk."""

    folder: Path = Path("/var/log/vedette")
    """Folder of both logs. Made with mode 0700 if it is not there."""
    evidence_bytes: Bytes = 256 * MIB
    """Bytes on disk for findings, gaps, policy changes, heartbeats."""
    activity_bytes: Bytes = 1024 * MIB
    """Bytes on disk for all other records: noise never evicts evidence."""
    file_bytes: Bytes = 16 * MIB
    """Bytes of one file. Retention removes whole files, so a smaller one keeps more."""
    evidence_queue_bytes: Bytes = 2 * MIB
    """Bytes of evidence that wait in memory while the disk does not answer."""
    activity_queue_bytes: Bytes = 8 * MIB
    """Bytes of activity that wait likewise. More is counted, not kept."""
    sync_s: Seconds = 5.0
    """Seconds until the disk has all evidence (fdatasync). A power cut loses at most these."""

    @model_validator(mode="after")
    def _two_files(self) -> Self:
        if self.file_bytes * 2 > min(self.evidence_bytes, self.activity_bytes):
            raise ValueError("file_bytes is more than half of a log's budget: retention could keep no whole file")
        return self


class PolicySettings(Part):
    """Policies."""

    folder: Path = Path("/etc/vedette/rules")
    """Folder of policy files (*.yaml). Watched; a change counts at once. One that is named must be there at the start."""
    settle_s: Seconds = 0.1
    """Seconds without a further change until a changed folder is read: editors write twice."""


class MetricsSettings(Part):
    """Metrics and health, over HTTP."""

    enabled: bool = True
    """Serve /metrics, /healthz and /readyz."""
    address: str = "127.0.0.1"
    """Address to listen on. There is no login: keep it to the node or the pod network."""
    port: Annotated[int, Field(ge=0, le=65535)] = 9477
    """TCP port; 0 takes any free one."""
    connections: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests at once. More wait for a second, then are closed."""
    request_s: Seconds = 5.0
    """Seconds until a slow client is cut off."""


class NodeSettings(Part):
    """The node and its container runtimes."""

    name: Annotated[str, Field(max_length=253)] = ""
    """Name of the node in records; empty: the host's name."""
    cluster: Annotated[str, Field(max_length=253)] = ""
    """Name of the cluster in records."""
    tenant: Annotated[str, Field(max_length=253)] = ""
    """Name of the tenant in records."""
    proc_root: Path = Path("/proc")
    """Where the host's procfs is mounted; in a pod often /host/proc."""
    host_root: Path = Path("/")
    """Where the host's root filesystem is mounted; in a pod often /host."""
    runtime_roots: tuple[Annotated[str, Field(pattern="^(containerd|runc|storage):/.+")], ...] = ()
    """More folders of runtime state than the usual ones, each with its kind: `containerd:/run/x`, `runc:/run/y`, `storage:/z`."""
    dead_kept_s: Seconds = 300.0
    """Seconds that an ended container stays known: late events still find their name."""
    containers: Annotated[int, Field(ge=16, le=65536)] = 4096
    """Containers, living and lately dead, that are kept at once."""


class Allowance(Part):
    """What one container may do of one kind of event before it is counted instead of itemised."""

    flows: Annotated[int, Field(ge=1, le=1 << 20)]
    """Distinct flows remembered at once."""
    rate: Annotated[int, Field(ge=1, le=1 << 20)]
    """Records a second, in the long run."""
    burst: Annotated[int, Field(ge=1, le=1 << 20)]
    """Records at once, above the rate."""


class BudgetSettings(Part):
    """Budgets of each container, by kind of event. Tripwires (denied files and addresses) are never budgeted away.

    What an allowance leaves out keeps its default.
    """

    exec: Allowance = Allowance(flows=1024, rate=2000, burst=10000)
    """Programs started. Each one is a record, so the rate is what counts here."""
    exit: Allowance = Allowance(flows=1024, rate=2000, burst=10000)
    """Programs ended. As many as were started."""
    open: Allowance = Allowance(flows=8192, rate=200, burst=4000)
    """Files opened. A language runtime opens some thousands at its start."""
    load: Allowance = Allowance(flows=2048, rate=100, burst=1000)
    """Code mapped from outside the image."""
    change: Allowance = Allowance(flows=4096, rate=200, burst=4000)
    """Files renamed, removed, made, changed in owner or mode."""
    net: Allowance = Allowance(flows=4096, rate=200, burst=2000)
    """Peers and ports."""
    socket: Allowance = Allowance(flows=256, rate=50, burst=200)
    """Raw, packet, netlink, vsock and alg sockets."""
    unix: Allowance = Allowance(flows=512, rate=50, burst=500)
    """AF_UNIX peers."""
    dns: Allowance = Allowance(flows=512, rate=200, burst=1000)
    """DNS answers. Beyond it connections lack the name they were looked up by."""

    @model_validator(mode="before")
    @classmethod
    def _over_defaults(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if not isinstance(given, dict):
            return given
        defaults = {name: field.default.model_dump() for name, field in cls.model_fields.items()}
        partial = {name: value for name, value in given.items() if name in defaults and isinstance(value, dict)}
        return given | {name: defaults[name] | value for name, value in partial.items()}


class SensorSettings(Part):
    """What runs in the kernel."""

    memory_bytes: Annotated[int, Field(ge=4 * MIB)] = 32 * MIB
    """Bytes that maps and rings may take in the kernel. They are sized from it."""
    dns: bool = True
    """Look for DNS, so that connections carry names. It takes two hooks that look at every packet."""
    all_counts_s: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """Seconds until every count that moved is told. Sweeps between tell of what is new, of violations, of counts that doubled."""
    sweep_interval_s: Seconds = 5.0
    """Seconds between two sweeps of the flow map for counts."""
    idle_flow_s: Seconds = 3600.0
    """Seconds after which an idle flow is forgotten: its next hit is a first sight again."""
    pending_s: Seconds = 10.0
    """Seconds until a first sight that the log did not take is sent again."""


class HashAheadSettings(Part):
    """Programs of an image that are hashed before anybody executes them, when the first container of that image runs.

    A first exec then has its hash at once. What is beyond these bounds is hashed when it is executed.
    """

    programs: Annotated[int, Field(ge=0, le=4096)] = 512
    """Programs of one image; 0: none are hashed ahead. Kept for all images: 2048."""
    read_bytes: Annotated[int, Field(ge=0, le=1024 * MIB)] = 64 * MIB
    """Bytes read of one image: what it may take of a core, of the disk and of its cache."""
    give_up_s: Seconds = 60.0
    """Seconds from the first container until the rest of its image is left alone: on a slow disk others come first."""


class FindingSettings(Part):
    """Findings."""

    window_s: Seconds = 600.0
    """Seconds in which a finding is told once and then counted."""
    windows: Annotated[int, Field(ge=16, le=65536)] = 2048
    """Distinct findings that are counted at once. More are one flood finding."""


class Settings(Part):
    """All settings of the agent."""

    log: LogSettings = LogSettings()
    policies: PolicySettings = PolicySettings()
    metrics: MetricsSettings = MetricsSettings()
    node: NodeSettings = NodeSettings()
    sensor: SensorSettings = SensorSettings()
    budgets: BudgetSettings = BudgetSettings()
    hash_ahead: HashAheadSettings = HashAheadSettings()
    findings: FindingSettings = FindingSettings()
    redact: bool = True
    """Take secrets out of arguments before anything is written."""
    output: Literal["auto", "lines", "json", "none"] = "auto"
    """What `run` prints: lines for people, JSON lines, nothing; auto: lines on a terminal, else JSON."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """How much the agent's own log says."""
    heartbeat_s: Seconds = 30.0
    """Seconds between two heartbeats in evidence: silence can be noticed."""
    stuck_s: Seconds = 15.0
    """Seconds without a turn of the loop after which /healthz fails."""
    shutdown_s: Seconds = 5.0
    """Seconds that SIGTERM leaves to drain and end."""


def load(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    present: Sequence[str] = (),
) -> Settings:
    """The settings in force. `overrides` are of the command line, by dotted name: {"log.folder": ...}; None is not given.

    A file that was named must exist; the default one need not. So with what the settings in `present` name, by dotted name.
    Raises SettingsError with every problem, each with its origin.
    """
    tree: dict[str, Any] = {}
    sources: dict[str, str] = {}
    problems: list[str] = []
    _merge(tree, sources, _flat(_read(file, problems)), str(file or FILE))
    for variable, dotted, value in _variables(os.environ if environment is None else environment, problems):
        _merge(tree, sources, [(dotted, value)], variable)
    given = [(name, value) for name, value in (overrides or {}).items() if value is not None]
    _merge(tree, sources, given, "command line")
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        problems += [_sentence(problem, sources) for problem in error.errors()]
        raise SettingsError("\n".join(problems)) from None
    problems += _absent(settings, [name for name in present if name in sources], sources)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def names(model: type[BaseModel] = Settings, above: str = "") -> Iterator[tuple[str, type[BaseModel], str]]:
    """Every setting: its dotted name, the part that it belongs to, and its name there. For the reference and the checks."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from names(field.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}", model, name


def variable_of(dotted: str) -> str:
    """The environment variable of a setting."""
    return ENVIRONMENT + dotted.replace(".", "_").upper()


def _read(file: Path | None, problems: list[str]) -> dict[str, Any]:
    path = file or FILE
    try:
        with path.open("rb") as stream:
            text = stream.read(FILE_BYTES + 1)
        if len(text) > FILE_BYTES:
            problems.append(f"{path}: larger than {FILE_BYTES} bytes: not a settings file")
            return {}
        tree = yaml.safe_load(text)
    except FileNotFoundError:
        if file is not None:
            problems.append(f"{path}: there is no such file")
        return {}
    except OSError as error:
        problems.append(f"{path}: can't be read: {error.strerror}")
        return {}
    except (yaml.YAMLError, ValueError) as error:
        problems.append(f"{path}{_place(error)}: not YAML: {getattr(error, 'problem', None) or str(error).partition(chr(10))[0]}")
        return {}
    if tree is None or isinstance(tree, dict):
        return tree or {}
    problems.append(f"{path}: must hold names with values, like `log: {{folder: /var/log/vedette}}`")
    return {}


def _place(error: Exception) -> str:
    """:line:column of an error in YAML."""
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""


def _flat(tree: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _variables(environment: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, str, Any]]:
    """Variable, dotted name, value. Lists are written as YAML has them: [/run/one, /run/two]."""
    known = {variable_of(dotted): dotted for dotted, _, _ in names()}
    for variable, text in sorted(environment.items()):
        if variable not in known:
            if variable.startswith(ENVIRONMENT):
                problems.append(f"environment: unknown setting {variable}{_nearest(variable, known)}")
            continue
        try:
            yield variable, known[variable], yaml.safe_load(text) if text.startswith("[") else text
        except yaml.YAMLError as error:
            problems.append(f"{variable}: {error}")


def _absent(settings: Settings, dotted: Iterable[str], sources: Mapping[str, str]) -> Iterator[str]:
    """What is named and isn't there: a slip of the pen must not mean an agent without policies."""
    for name in dotted:
        path, usual = attrgetter(name)(settings), attrgetter(name)(Settings())
        if not _is_there(path):
            yield f"{sources[name]}: {name}: there is no such file or folder (is {str(path)!r:.80})"
            yield f"hint: make it, or leave the setting out for its default, {usual}"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        return error.errno == EACCES  # what may not be looked at is there


def _merge(tree: dict[str, Any], sources: dict[str, str], pairs: Any, source: str) -> None:  # noqa: ANN401 - pairs of name and value
    for dotted, value in pairs:
        *above, name = dotted.split(".")
        place = tree
        for part in above:
            below = place.get(part)
            if not isinstance(below, dict):
                below = place[part] = {}
            place = below
        place[name] = value
        sources[dotted] = source


def _sentence(problem: Any, sources: Mapping[str, str]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    dotted = ".".join(str(part) for part in problem["loc"])
    near = (source for name, source in sources.items() if f"{name}.".startswith(f"{dotted}.") or dotted.startswith(f"{name}."))
    source = sources.get(dotted) or next(near, "settings")
    if problem["type"] == "extra_forbidden":
        known = {name for name, _, _ in names()} | {part.rpartition(".")[0] for part, _, _ in names()}
        return f"{source}: unknown setting {dotted}{_nearest(dotted, known)}"
    return f"{source}: {dotted}: {problem['msg']} (is {problem['input']!r:.80})"


def _nearest(name: str, known: Any) -> str:  # noqa: ANN401 - any container of names
    near = get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]}?" if near else ""
