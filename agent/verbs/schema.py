"""`vedette schema`."""

import json
import sys

from model.cases import GroupShape
from model.document import DocumentShape
from model.schema import schema_of


def schema(*, tests: bool) -> int:
    """Print the schema of policies, or of test files."""
    sys.stdout.write(text(tests=tests))
    return 0


def text(*, tests: bool) -> str:
    """The schema as it is published."""
    made = schema_of(GroupShape, "Vedette policy test") if tests else schema_of(DocumentShape, "Vedette policy")
    return json.dumps(made, indent=2) + "\n"
