"""What the view shows, as values: the same for the screen, the printed table and `--json`. Pure."""

from msgspec import Struct


class Listed(Struct, frozen=True, rename={"cgroup_path": "cgroup"}):
    """A running container, as the agent's status lists it."""

    cgroup_path: str
    id: str = ""
    name: str = ""
    image: str = ""


class Agent(Struct, frozen=True):
    """The agent's last account of itself."""

    version: str = ""
    pid: int = 0
    running: bool = False
    ready: bool = False
    unready: tuple[str, ...] = ()  # what is missing
    up_s: float = 0.0
    time: float = 0.0  # of that account, Unix time
    silent_s: float = 0.0  # since then; it gives one every few seconds
    losses: dict[str, int] = {}  # events that were not itemised since its start, by place and kind
    containers: tuple[Listed, ...] = ()  # that run


class Row(Struct, frozen=True):
    """One container, or all of them."""

    key: str  # its cgroup's path, or "cgroup ID" where nobody can name it
    name: str
    image: str
    running: bool
    events_per_s: float = 0.0  # records, and what the kernel only counted
    novelty_per_s: float = 0.0  # first sights: a file, peer, socket or code that was not seen in this way before
    execs_per_s: float = 0.0
    findings: int = 0  # different ones
    findings_more: bool = False  # there were more than are told apart: `findings` is the least
    last_reason: str = ""  # of the newest finding
    peers: int = 0  # different ones that were connected with of late
    peers_more: bool = False  # there were more than are kept: `peers` is the least
    lost: int = 0  # events that were not itemised
    lost_unknown: bool = False  # and some whose number nobody knows


class Snapshot(Struct, frozen=True):
    """All of it at one moment."""

    time: str  # RFC 3339
    since: str  # of the oldest record that was looked back at; "" if there was none
    window_s: float  # rates of records are over the last so many seconds
    counts_s: float  # those of counted repeats over so many
    agent: Agent
    total: Row
    containers: tuple[Row, ...]
    left_out: int  # containers that there was no room for; `total` has what they did
    losses: tuple[str, ...]  # the newest gaps, the newest first
    skipped_bytes: int  # of the log that this view was too slow for
    damaged: int  # lines of the log that are no record


class Branch(Struct, frozen=True):
    """One process in its container's tree."""

    depth: int
    pid: int
    program: str
    arguments: str
    session: str
    euid: int
    started_ns: int
    ended_ns: int  # 0 while it runs
    how: str  # it ended


class Peer(Struct, frozen=True):
    """Whom it is connected with, or the port it listens on."""

    direction: str
    address: str
    name: str  # the DNS name that the address was looked up by
    problem: str  # why it could not be connected
    last_ns: int
    count: int


class Told(Struct, frozen=True):
    """A finding, or a new file: when and what."""

    time: str
    words: tuple[str, ...]
    loud: bool = False


class Detail(Struct, frozen=True):
    """One container from inside. Each list the newest first, but for the tree; with how many it leaves out."""

    row: Row
    now_ns: int
    processes: tuple[Branch, ...]
    processes_left_out: int
    findings: tuple[Told, ...]
    findings_left_out: int
    peers: tuple[Peer, ...]
    peers_left_out: int
    files: tuple[Told, ...]
    files_left_out: int
