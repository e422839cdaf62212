"""The command line: `vedette VERB`. Exit codes: 0 well, 1 findings or errors in what was looked at, 2 the call is wrong."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="vedette",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="YAML file of settings.", show_default="/etc/vedette/settings.yaml")
]
PolicyFolder = Annotated[
    Path | None, typer.Option("--policies", help="Folder of policies, or one file.", show_default="/etc/vedette/rules")
]
LogFolder = Annotated[Path | None, typer.Option("--log", help="Folder of the log.", show_default="/var/log/vedette")]
Output = Annotated[str | None, typer.Option(help="auto, lines, json, or none.", show_default="auto")]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs.")]


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        from agent.version import version

        typer.echo(f"vedette {version()}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Watches containers: what they execute, load and open, whom they talk to, and what of that no policy allows."""
    del version


@app.command()
def run(
    settings: SettingsFile = None,
    policies: PolicyFolder = None,
    log: LogFolder = None,
    record: Annotated[Path | None, typer.Option(help="Also keep the raw events in this new file, for `replay`.")] = None,
    output: Output = None,
    port: Annotated[int | None, typer.Option(help="Port of /metrics, /healthz and /readyz.", show_default="9477")] = None,
    runtime_root: Annotated[
        list[str] | None, typer.Option(help="One more runtime state folder: containerd:/x, runc:/y, storage:/z. May be repeated.")
    ] = None,
) -> None:
    """Watch this host's containers until a signal comes. Needs root."""
    from agent.verbs.run import run as verb

    overrides = {
        "policies.folder": policies, "log.folder": log, "output": output, "metrics.port": port,
        "node.runtime_roots": tuple(runtime_root) if runtime_root else None,
    }  # fmt: skip
    raise typer.Exit(verb(settings, overrides, record))


@app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Policy files and folders.")],
    image: Annotated[
        Path | None, typer.Option(help="An unpacked image's folder: say which paths of rules are something else there.")
    ] = None,
    container: Annotated[
        str | None, typer.Option(help="The same in a running container: its name, or how its id begins.")
    ] = None,
    settings: SettingsFile = None,
    log: LogFolder = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    json: Json = False,
) -> None:
    """Say everything that is wrong, or doubtful, in policies.

    Exit code 0: they can be used; 1: there are errors, or with --strict warnings; 2: the call is wrong.
    """
    from agent.verbs.check import At
    from agent.verbs.check import check as verb

    raise typer.Exit(verb(paths, At(image, container, settings, log), as_json=json, strict=strict))


@app.command("test")
def run_tests(
    paths: Annotated[list[Path] | None, typer.Argument(help="Test files, policy files and folders.", show_default=".")] = None,
    json: Json = False,
) -> None:
    """Try policies: run the cases of each NAME.test.yaml against NAME.yaml beside it.

    Exit code 0: each has the expected verdict; 1: one has another, or a file has errors; 2: the call is wrong.
    """
    from agent.verbs.trial import trial as verb

    raise typer.Exit(verb(paths or [Path()], as_json=json))


@app.command()
def schema(
    tests: Annotated[bool, typer.Option("--tests", help="Of test files, in place of policies.")] = False,
) -> None:
    """Print the JSON Schema of a policy, for editors."""
    from agent.verbs.schema import schema as verb

    raise typer.Exit(verb(tests=tests))


@app.command()
def explain(
    record: Annotated[str, typer.Argument(help="Id of a record or finding.")],
    settings: SettingsFile = None,
    policies: PolicyFolder = None,
    log: LogFolder = None,
    json: Json = False,
) -> None:
    """Show a record, and each rule that was tried on it: why it matched or not, which was decisive."""
    from agent.verbs.explain import explain as verb

    raise typer.Exit(verb(record, settings, {"policies.folder": policies, "log.folder": log}, as_json=json))


@app.command()
def replay(  # noqa: PLR0913, PLR0917 - options, which typer gives by name
    place: Annotated[
        Path, typer.Argument(metavar="RECORDING|LOG", help="A file of `run --record`; or a log: its folder or a file.")
    ],
    settings: SettingsFile = None,
    policies: PolicyFolder = None,
    log: Annotated[Path | None, typer.Option("--log", help="Folder for the log of the replay; else none is kept.")] = None,
    output: Output = None,
    policy: Annotated[Path | None, typer.Option(help="Policies to judge a log by: a file or folder.")] = None,
    old: Annotated[
        Path | None, typer.Option(help="Policies to compare them with.", show_default="the verdicts that the log has")
    ] = None,
    json: Json = False,
) -> None:
    """Run recorded raw events through the pipeline again, or judge a log by other policies. Needs no root.

    A recording takes --settings, --policies, --log and --output. A log takes --policy, --old and --json, and is told apart by its
    content: what would be a finding that was none, what is none any more, what can't be judged again. Exit code 1: new findings.
    """
    from agent.verbs.replay import replay as verb
    from agent.verbs.whatif import Asked

    overrides = {"policies.folder": policies, "log.folder": log, "output": output}
    raise typer.Exit(verb(place, settings, overrides, Asked(policy, old, json)))


@app.command()
def init(
    container: Annotated[str, typer.Argument(help="Its name, namespace/name, or the beginning of its id.")],
    settings: SettingsFile = None,
    log: LogFolder = None,
    output: Annotated[Path | None, typer.Option(help="A new file for it.", show_default="standard output")] = None,
    json: Json = False,
) -> None:
    """Write a first policy for a container from what was recorded of it, with comments on what to look at. Needs no root."""
    from agent.verbs.init import init as verb

    raise typer.Exit(verb(container, settings, {"log.folder": log}, output, as_json=json))


@app.command()
def status(settings: SettingsFile = None, log: LogFolder = None, json: Json = False) -> None:
    """What this kernel offers and what the running agent sees: hooks, policies, containers, losses, its own cost."""
    from agent.verbs.status import status as verb

    raise typer.Exit(verb(settings, {"log.folder": log}, as_json=json))


@app.command()
def top(
    settings: SettingsFile = None,
    log: LogFolder = None,
    sort: Annotated[
        str, typer.Option(help="Order by: name, image, events, novelty, execs, peers, lost, findings, or reason.")
    ] = "events",
    window: Annotated[float, typer.Option(min=1, max=3600, help="Seconds that rates are over.")] = 10.0,
    count: Annotated[int, typer.Option(min=0, help="Snapshots, one a second; 0: no end, but one of a printed table.")] = 0,
    json: Json = False,
) -> None:
    """Watch the running agent's containers live: events, novelty, findings, peers; open one for its process tree.

    On a terminal the keys are on the screen; elsewhere the table is printed once. Needs to read the log's folder, nothing else.
    """
    from agent.top.choice import Choice
    from agent.verbs.top import top as verb

    raise typer.Exit(verb(settings, {"log.folder": log}, Choice(sort=sort), window_s=window, count=count, as_json=json))


app.command("doctor", hidden=True, help="The same as status.")(status)


def main() -> None:
    """Entry point."""
    app(prog_name="vedette")


if __name__ == "__main__":
    main()
