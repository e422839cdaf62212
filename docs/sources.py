"""What the code says about its own classes: docstrings, fields, and the comment behind each field."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Field:
    """One field of a struct, or one member of an enumeration."""

    name: str
    type: str  # as written; "" for a member
    value: str  # the default as written; for a member its value; "" without one
    comment: str


@dataclass(frozen=True)
class Class:
    """A class with its docstring, in the order of the file."""

    name: str
    bases: tuple[str, ...]
    words: dict[str, str]  # arguments of the class: tag="exec"
    doc: str
    fields: tuple[Field, ...]


def classes(path: Path) -> list[Class]:
    """Every public class of a file."""
    text = path.read_text()
    lines = text.splitlines()
    found = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    return [_class(node, lines) for node in found if not node.name.startswith("_")]


def _class(node: ast.ClassDef, lines: list[str]) -> Class:
    words = {word.arg: str(word.value.value) for word in node.keywords if word.arg and isinstance(word.value, ast.Constant)}
    bases = tuple(ast.unparse(base) for base in node.bases)
    return Class(node.name, bases, words, ast.get_docstring(node) or "", tuple(_fields(node, lines)))


def _fields(node: ast.ClassDef, lines: list[str]) -> Iterator[Field]:
    for item in node.body:
        comment = _comment(lines, item)
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield Field(item.target.id, ast.unparse(item.annotation), _value(item.value), comment)
        elif isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
            yield Field(item.targets[0].id, "", _value(item.value), comment)


def _value(value: ast.expr | None) -> str:
    if value is None:
        return ""
    return str(value.value) if isinstance(value, ast.Constant) else ast.unparse(value)


def _comment(lines: list[str], item: ast.stmt) -> str:
    """The comment on the statement's last line. A `#` inside of a value stands before the statement's end."""
    rest = lines[(item.end_lineno or item.lineno) - 1].encode()[item.end_col_offset or 0 :].decode()
    return rest.partition("#")[2].strip()
