"""A policy as YAML that people can read: `parse` gives the same policy again. Presets stay words; comments are not kept."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import yaml

from model.document import API, CLUSTER_POLICY, POLICY
from model.event import Layer
from model.fields import IMAGE, JUDGED, LAYERS
from model.policy import PRESET, KubernetesRule, NameRule, PathRule, PeerRule, Policy, Rule, Rules, UnixRule
from model.rule import short, told_port, told_startup
from model.select import Selector
from model.verdict import Mode

Said: TypeAlias = dict[str, Any]
_WORDS: dict[Layer, str] = {layer: word for word, layer in LAYERS.items()}
_PEERS = {"egress": "to", "ingress": "from", "listen": "address"}
_WIDTH = 120


class _Line(dict[str, Any]):
    """A mapping that is written in one line."""


class _Words(list[Any]):
    """A list that is written in one line."""


class _Dumper(yaml.SafeDumper):
    """Lists are set in below their field, as people do it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - PyYAML's
        super().increase_indent(flow, indentless=False)


_Dumper.add_representer(_Line, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True))
_Dumper.add_representer(_Words, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=True))


def to_text(*policies: Policy) -> str:
    """The documents of these policies."""
    return "---\n".join(_text(policy) for policy in policies)


def _text(policy: Policy) -> str:
    metadata = {"name": policy.name, **({"namespace": policy.selector.namespace} if policy.selector.namespace else {})}
    document = {
        "apiVersion": API, "kind": CLUSTER_POLICY if policy.tier else POLICY, "metadata": _Line(metadata), "spec": _spec(policy)
    }  # fmt: skip
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _spec(policy: Policy) -> Said:
    said: Said = {"tier": policy.tier} if policy.tier else {}
    said["select"] = _Line(_select(policy.selector))
    said |= _modes(policy)
    if policy.include:
        said["include"] = _Words(policy.include)
    for verb, rules in policy.verbs.items():
        lists = _lists(verb, rules)
        if lists:
            said[verb] = lists
    for one in policy.requirements:
        said.setdefault(one.verb, _Line())[one.field] = _wanted(one.field, one.wanted)
    if policy.exemptions:
        said["exceptions"] = [
            _Line({"rule": one.rule, "until": one.until, "owner": one.owner, "why": one.why}) for one in policy.exemptions
        ]
    return said


def _select(selector: Selector) -> Said:
    containers = {name: _Words(words) for name, words in (("names", selector.names), ("kinds", selector.kinds)) if words}
    lists = (("images", selector.images), ("namespaces", selector.namespaces), ("workloads", selector.workloads))
    said: Said = {"containers": _Line(containers)} if containers else {}
    said |= {name: _Words(words) for name, words in lists if words}
    return {**said, **({"labels": _Line(selector.labels)} if selector.labels else {})}


def _modes(policy: Policy) -> Said:
    """One word where it holds for all, and nothing where it is the usual one."""
    modes = {verb: rules.mode.value for verb, rules in policy.verbs.items()}
    modes |= {one.verb: one.mode.value for one in policy.requirements}
    severities = {verb: rules.severity.value for verb, rules in policy.verbs.items() if rules.severity is not None}
    severities |= {one.verb: one.severity.value for one in policy.requirements if one.severity is not None}
    said: Said = {}
    if set(modes.values()) - {Mode.ALERT.value}:
        said["mode"] = _word_or_mapping(modes, modes)
    if severities:
        said["severity"] = _word_or_mapping(severities, modes)
    return said


def _word_or_mapping(words: dict[str, str], judged: Iterable[str]) -> Any:  # noqa: ANN401 - a word or a mapping
    if len(set(words.values())) == 1 and set(judged) == set(words):
        return next(iter(words.values()))
    return _Line({verb: words[verb] for verb in JUDGED if verb in words})


def _lists(verb: str, rules: Rules) -> Said:
    """What the document says itself; a preset's rules are said by its name. A list that a preset alone has is the preset's."""
    said: Said = {}
    if rules.allow is not None and (not rules.source.startswith(PRESET) or any(map(_own, rules.allow))):
        said["allow"] = _entries(verb, rules.allow)
    if any(map(_own, rules.deny)):
        said["deny"] = _entries(verb, rules.deny)
    if not said and not rules.source.startswith(PRESET):
        said["deny"] = _Words()
    return said


def _own(rule: Rule) -> bool:
    return not rule.source.startswith(PRESET)


def _entries(verb: str, rules: Iterable[Rule]) -> Any:  # noqa: ANN401 - a list in one line or in several
    entries = [_entry(verb, rule) for rule in rules if _own(rule)]
    return entries or _Words()


def _entry(verb: str, rule: Rule) -> Any:  # noqa: ANN401 - a text or a mapping
    said, short_form = _subject(verb, rule)
    said |= _conditions(rule)
    return next(iter(said.values())) if len(said) == 1 and short_form else _Line(said)


def _subject(verb: str, rule: Rule) -> tuple[Said, bool]:
    """The path or peer, and whether it may stand alone."""
    if isinstance(rule, PathRule):
        said: Said = {"path": rule.glob.text if rule.glob is not None else IMAGE}
        if rule.layers is not None:
            said["from"] = _Words(sorted(_WORDS[layer] for layer in rule.layers))
        return said, True
    if isinstance(rule, UnixRule):
        return {"to": f"unix:@{rule.glob.text[1:]}" if rule.abstract else f"unix:{rule.glob.text}"}, True
    return _peer(_PEERS[verb], rule)


def _peer(field: str, rule: PeerRule | NameRule | KubernetesRule) -> tuple[Said, bool]:
    ports = _Words(map(told_port, rule.ports))
    more: Said = {"ports": ports} if ports else {}
    if isinstance(rule, NameRule):
        return {field: rule.name, **more}, True
    if isinstance(rule, KubernetesRule):
        return {field: _Line({rule.kind: rule.name}), **more}, False
    if rule.network is None:
        return ({"ports": ports[0]}, True) if len(ports) == 1 and rule.when.always else (more, False)
    return {field: short(rule.network), **more}, field != "address"


def _conditions(rule: Rule) -> Said:
    when = rule.when
    said: Said = {}
    if when.args is not None:
        words = _Words(word.text for word in when.args.words)
        said["args"] = _Line({"prefix": words}) if when.args.prefix else words
    for name, values in (("as", when.called), ("session", when.sessions)):
        if values:
            said[name] = _Words(sorted(values))
    if when.startup_s:
        said["startup"] = told_startup(when.startup_s)
    return said


def _wanted(field: str, wanted: tuple[str, ...]) -> Any:  # noqa: ANN401 - a word or a list
    lists = ("registries", "digests", "tags", "signedBy", "capabilities")
    return _Words(wanted) if field in lists else _plain(wanted[0])


def _plain(word: str) -> Any:  # noqa: ANN401 - as YAML writes it without quotes
    return {"true": True, "false": False}.get(word, int(word) if word.isdigit() else word)
