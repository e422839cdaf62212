"""What is printed is read again as the same policy."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from model.policy import Policy, parse
from model.print import to_text
from tests.model.builders import HEAD
from tests.model.strategies import VERBS, policies

SPECS = [
    "mode: {exec: learn, load: alert, image: enforce}\n  exec: {allow: [image]}\n  load: {deny: []}\n  image: {tags: ['1.*']}",
    "severity: {exec: high}\n  exec: {allow: []}\n  read: {allow: [/a b, '/c: d', '/#e', /no, '/é', '/[!a]*']}",
    "include: [nginx, metadata]\n  egress: {allow: [{to: example.com, ports: [443/tcp, 80/tcp]}]}\n  write: {deny: [/x]}",
    "include: [nginx]\n  load: {deny: []}\n  exec: {allow: []}",
    'exec: {allow: [{path: /bin/sh, args: ["-c", "a -t"]}, {path: /b, args: {prefix: ["*"]}, as: [cat]}, {path: /c, args: []}]}',
    "listen: {allow: [{address: 127.0.0.0/8}, {ports: [80/tcp, 81/tcp]}, {ports: [82/tcp], session: [main]}]}",
    "ingress: {allow: [{from: {namespace: edge}, ports: [80/tcp]}, 10.0.0.1]}\n  egress: {allow: [{to: {service: shop/api}}]}",
    "privileges: {privileged: false, capabilities: [NET_ADMIN], runAsNonRoot: true, allowPrivilegeEscalation: false}",
    "image: {signedBy: [k], maxAgeDays: 9}\n  exceptions: [{rule: p/image, until: 2027-01-31, owner: o, why: 'a: \"b\" #c'}]",
]


def without_sources(policy: Policy) -> Any:
    """Everything that it says, and nothing of where it said it."""

    def bare(value: Any) -> Any:
        if isinstance(value, Struct):
            return {field: bare(getattr(value, field)) for field in value.__struct_fields__ if field != "source"}
        if isinstance(value, dict):
            return {key: bare(one) for key, one in value.items()}
        return tuple(map(bare, value)) if isinstance(value, tuple) else value

    return bare(policy)


def check_is_the_same(policy: Policy) -> None:
    (again,) = parse(to_text(policy), "printed.yaml")
    assert without_sources(again) == without_sources(policy)


@pytest.mark.parametrize("spec", SPECS)
def test_every_field_comes_back(spec: str) -> None:
    check_is_the_same(parse(f"{HEAD}metadata: {{name: p}}\nspec:\n  select: {{images: [a]}}\n  {spec}\n", "p.yaml")[0])


def test_every_selector_comes_back() -> None:
    select = "{containers: {names: [a], kinds: [app]}, images: [b], labels: {c: d, app: web}, workloads: [deployment/e]}"
    check_is_the_same(
        parse(f"{HEAD}metadata: {{name: p, namespace: n}}\nspec:\n  select: {select}\n  exec: {{allow: []}}\n", "p")[0]
    )


@settings(max_examples=200)
@given(st.lists(st.sampled_from(VERBS), min_size=1, max_size=3, unique=True).flatmap(policies))
def test_any_policy_comes_back(policy: Policy) -> None:
    check_is_the_same(policy)


def test_it_is_written_as_people_write_it() -> None:
    text = f"""{HEAD}metadata: {{name: web}}
spec:
  select: {{images: [nginx]}}
  include: [metadata]
  exec:
    allow:
      - /usr/sbin/nginx
      - {{path: /bin/sh, args: [-c, nginx -t]}}
  listen:
    allow:
      - 80/tcp
"""
    assert to_text(*parse(text, "web.yaml")) == text
