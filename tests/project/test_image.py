import re

from tests.project.tree import ROOT, files

STEP = re.compile(r"^([A-Z]+) ((?:.*\\\n)*.*)$", re.MULTILINE)
KNOWN = {"FROM", "RUN", "WORKDIR", "COPY", "ENV", "VOLUME", "ENTRYPOINT", "CMD"}


def steps() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [(step[1], step[2].replace("\\\n", " ")) for step in STEP.finditer(text)]


def test_every_line_of_the_dockerfile_is_a_step() -> None:
    assert {name for name, _ in steps()} == KNOWN
    assert next(iter(steps()))[0] == "FROM"


def test_what_the_image_copies_is_in_the_project_and_let_through_to_the_builder() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for name, words in steps() if name == "COPY" and "--from" not in words for word in words.split()[:-1]}
    tracked = {path.relative_to(ROOT).parts[0] for path in files()}
    assert copied == let_through
    assert copied - tracked == set()


def test_the_final_stage_has_no_compiler_and_no_package_installer() -> None:
    last = max(index for index, (name, _) in enumerate(steps()) if name == "FROM")
    final = " ".join(words for _, words in steps()[last:])
    assert [tool for tool in ("clang", "llvm", "pip ", "gcc") if tool in final] == []
    assert "libbpf1" in final
