"""Fuzzes one parser with atheris: `python -m tests.fuzz.fuzz TARGET [libFuzzer's options] [folder of inputs]`."""

import sys

import atheris

with atheris.instrument_imports(include=["agent", "model"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until libFuzzer's limits; a crash ends with its status and leaves the input in the current folder."""
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"which target? {', '.join(TARGETS)}")
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
