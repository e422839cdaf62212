import re

from tests.project.tree import ROOT, files

# In pieces, so that this file passes its own test.
REGISTRIES = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "crates" + ".io", "proxy.golang" + ".org"]
WORKPLACE = re.compile(r"(?<![\w.])/wor" + r"k/(main|shared|\.library)\b|b-see" + "d-")


def test_no_file_names_a_package_registry_s_host() -> None:
    assert lines_with(re.compile("|".join(map(re.escape, REGISTRIES)))) == []


def test_no_file_names_where_the_maintainers_work() -> None:
    assert lines_with(WORKPLACE) == []


def test_every_text_is_utf_8_and_ends_with_a_newline() -> None:
    assert [str(path) for path in files() if is_text(path.read_bytes()) and not path.read_bytes().endswith(b"\n")] == []


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def is_text(raw: bytes) -> bool:
    if not raw or b"\0" in raw:
        return False
    raw.decode()
    return True
