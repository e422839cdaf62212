"""The JSON Schema of our documents, for editors. Made from the shapes; what a validator takes, it is asked.

An editor reads YAML before we do: a text that YAML takes for a number or a date (`010`) is fine here, and an editor may object.
"""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from model.event import Access, Flag, Operation, Session
from model.fields import JUDGED, LAYERS
from model.verdict import Mode, Outcome, Reason, Severity

DRAFT = "http://json-schema.org/draft-07/schema#"  # what every editor knows; nothing newer is used
_ANY_TEXT = ("qq", "/qq", "qq.qq/qq:1", "10.0.0.1", "80/tcp", "2030-01-01", "sha256:" + 64 * "0")  # a closed list takes none
_OTHERS = ("guardrail", "baseline", "probe", "debug", "app", "init", "sidecar")
_WORDS = tuple(
    dict.fromkeys(
        (word.name or "").lower() if isinstance(word, Access | Flag) else str(word)
        for word in (*LAYERS, *Session, *Mode, *Severity, *Outcome, *filter(None, Reason), *Operation, *Access, *Flag, *_OTHERS)
    )
)


def schema_of(shape: type[BaseModel], title: str) -> dict[str, Any]:
    """The schema of this shape, as plain values. Equal shapes give equal ones."""
    made = shape.model_json_schema(by_alias=True, schema_generator=_Generator)
    return {"$schema": DRAFT, **_without_titles(made), "title": title}


class _Generator(GenerateJsonSchema):
    """Adds what pydantic can't see in a function: the short forms, and the words of a closed list."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A field may be left out, and never be empty."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without the default: an editor would write it into the file."""
        return self.generate_inner(schema["schema"])

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_before_schema(schema)
        take = _asked(schema)
        if take is None or inner.get("type") in ("boolean", "integer", "string"):
            return inner
        if inner.get("type") == "array":
            return {"anyOf": [inner["items"], inner]} if _takes(take, "qq") else inner
        if inner.get("type") == "object" and not inner.get("properties"):
            word = next((one for one in _WORDS if _takes(take, one)), "")
            inner = {**inner, "propertyNames": {"enum": [verb for verb in JUDGED if _takes(take, {verb: word})]}}
        short = [_text(take)] if _text(take) else []
        short += [{"type": "array", "items": {"type": "string"}}] if _takes(take, ["qq"]) else []
        return {"anyOf": [*short, inner]} if short else inner

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        inner = super().function_after_schema(schema)
        take = _asked(schema)
        return inner if take is None or inner != {"type": "string"} else _text(take) or inner


def _asked(schema: Any) -> Callable[[Any], Any] | None:  # noqa: ANN401 - pydantic's own dictionaries
    """The validator's function, where it needs nothing but the value."""
    function = schema["function"]
    return function["function"] if function["type"] == "no-info" and not isinstance(function["function"], type) else None


def _text(take: Callable[[Any], Any]) -> dict[str, Any]:
    """Which text a validator takes: any, one of some words, or none ({})."""
    if any(_takes(take, text) for text in _ANY_TEXT):
        return {"type": "string"}
    words = [word for word in _WORDS if _takes(take, word)]
    return {"enum": words} if words else {}


def _takes(take: Callable[[Any], Any], value: object) -> bool:
    try:
        take(value)
    except (PydanticCustomError, AttributeError):  # a check of the shape as a whole looks at its fields
        return False
    return True


def _without_titles(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Pydantic names each field once more; a field that is called so stays."""
    if isinstance(value, list):
        return [_without_titles(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _kept(key, item) for key, item in value.items() if key != "title" or not isinstance(item, str)}


def _kept(key: str, item: Any) -> Any:  # noqa: ANN401 - JSON
    return {name: _without_titles(one) for name, one in item.items()} if key in ("properties", "$defs") else _without_titles(item)
