import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.project.tree import ROOT

PIN = re.compile(r"^(?P<name>[a-z0-9-]+)(\[[^]]*\])?==(?P<version>[^ ]+)(?P<rest>.*\n(?:    .*\n)*)", re.MULTILINE)
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-fuzz.lock"]


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_is_fresh_it_pins_what_the_project_asks_for_and_nothing_that_it_no_longer_asks_for(lock: str) -> None:
    asked = {canonical(requirement.name): requirement for requirement in requirements(lock)}
    pinned = {pin["name"]: pin["version"] for pin in pins(lock)}
    direct = {pin["name"] for pin in pins(lock) if "vedette (pyproject.toml" in pin["rest"]}
    assert direct == set(asked), "run: make lock"
    assert [name for name, requirement in asked.items() if not requirement.specifier.contains(pinned[name])] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    assert [pin["name"] for pin in pins(lock) if "--hash=sha256:" not in pin["rest"]] == []


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_what_the_agent_runs_with_is_what_it_is_tested_with(lock: str) -> None:
    tested = {pin["name"]: pin["version"] for pin in pins(lock)}
    assert [(pin["name"], pin["version"]) for pin in pins(LOCKS[0]) if tested.get(pin["name"]) != pin["version"]] == []


def pins(lock: str) -> Iterator[re.Match[str]]:
    return PIN.finditer((ROOT / lock).read_text())


def requirements(lock: str) -> list[Requirement]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts = list(project["project"]["dependencies"])
    if lock == "requirements-dev.lock":
        texts += [text for extra in project["project"]["optional-dependencies"].values() for text in extra]
        texts += project["dependency-groups"]["dev"]
    if lock == "requirements-fuzz.lock":
        texts += project["dependency-groups"]["fuzz"]
    return [Requirement(text) for text in texts]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
