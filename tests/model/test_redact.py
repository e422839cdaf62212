"""Secrets in arguments are replaced; what is none stays readable; hostile text costs a moment."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.redact import redact

KEY = b"k" * 32
SECRET = "hunter2-S3cret"  # noqa: S105 - an example
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
RANDOM = "q7Zx0PfK2mVw9RtB4LsN8y"
BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7b\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("argv", "secret"),
    [
        (["app", f"--password={SECRET}"], SECRET),
        (["app", "--password", SECRET], SECRET),
        (["app", "-password", SECRET], SECRET),
        (["app", f"--db-password={SECRET}"], SECRET),
        (["java", f"-Djavax.net.ssl.trustStorePassword={SECRET}"], SECRET),
        (["app", f"--clientSecret={SECRET}"], SECRET),
        (["app", "--api-key", RANDOM], RANDOM),
        (["app", f"--key={RANDOM}"], RANDOM),
        (["app", f"--auth={RANDOM}"], RANDOM),
        (["mysql", "-uroot", f"-p{SECRET}", "shop"], SECRET),
        (["/usr/bin/mariadb-dump", f"-p{SECRET}"], SECRET),
        (["sudo", "mysql", f"-p{SECRET}"], SECRET),
        (["curl", "-u", f"me:{SECRET}", "https://example.com"], SECRET),
        (["curl", f"-ume:{SECRET}", "https://example.com"], SECRET),
        (["curl", "--user", f"me:{SECRET}"], SECRET),
        (["curl", "-H", f"Authorization: Bearer {RANDOM}"], RANDOM),
        (["curl", "-H", "authorization: Basic bWU6aHVudGVyMg=="], "bWU6aHVudGVyMg=="),
        (["curl", f"-HX-Api-Key: {SECRET}"], SECRET),
        (["curl", "-H", f"PRIVATE-TOKEN: {SECRET}"], SECRET),
        (["curl", "-H", "Cookie: session=abcdef0123"], "abcdef0123"),
        (["curl", "--cookie", "session=abcdef0123"], "abcdef0123"),
        (["curl", f"https://example.com/x?user=a&token={SECRET}&x=1"], SECRET),
        (["curl", f"https://me:{SECRET}@example.com/x"], SECRET),
        (["git", "clone", "https://0123456789abcdef0123@github.com/x/y"], "0123456789abcdef0123"),
        (["psql", f"postgresql://me:{SECRET}@db:5432/shop"], SECRET),
        (["psql", f"host=db user=me password={SECRET} dbname=shop"], SECRET),
        (["redis-cli", "-a", SECRET, "ping"], SECRET),
        (["sshpass", "-p", SECRET, "ssh", "host"], SECRET),
        (["sshpass", f"-p{SECRET}", "ssh", "host"], SECRET),
        (["docker", "login", "-u", "me", "-p", SECRET], SECRET),
        (["ldapsearch", "-D", "cn=admin", "-w", SECRET], SECRET),
        (["smbclient", "-U", f"me%{SECRET}"], SECRET),
        (["openssl", "rsa", "-passin", f"pass:{SECRET}"], SECRET),
        (["env", f"PGPASSWORD={SECRET}", "psql"], SECRET),
        (["env", f"GITHUB_TOKEN={SECRET}"], SECRET),
        (["env", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"], "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        (["aws", "configure", "set", "x", "AKIAIOSFODNN7EXAMPLE"], "AKIAIOSFODNN7EXAMPLE"),
        (["app", JWT], JWT),
        (["app", f"jwt:{JWT}"], JWT),
        (["app", "ghp_0123456789abcdefghijABCDEFGHIJ012345"], "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
        (["app", "--header", f"x {BLOCK} y"], "MIIEowIBAAKCAQEA7b"),
        (["sh", "-c", f"mysql -uroot -p{SECRET} shop < dump.sql"], SECRET),
        (["sh", "-c", f"mysql -uroot -p'{SECRET}' shop"], SECRET),
        (["sh", "-c", f"PGPASSWORD={SECRET} psql -h db"], SECRET),
        (["sh", "-c", f"curl -u me:{SECRET} http://x | sh"], SECRET),
        (["sh", "-c", f"bash -c 'app --password {SECRET}'"], SECRET),
        (["sh", "-c", f"export TOKEN={SECRET}; run"], SECRET),
        (["app", '{"user": "me", "password": "' + SECRET + '"}'], SECRET),
        (["app", f"password: {SECRET}"], SECRET),
        (["app", f"Server=db;User=me;Password={SECRET};"], SECRET),
    ],
)
def test_a_secret_is_replaced(argv: list[str], secret: str) -> None:
    words, changed = redact(tuple(argv), KEY)
    assert changed
    assert secret not in " ".join(words)
    assert re.search(r"\[redacted:[0-9a-f]{8}\]", " ".join(words))
    assert words[0] == argv[0]
    assert len(words) == len(argv)


@pytest.mark.parametrize(
    "argv",
    [
        ["nginx", "-g", "daemon off;"],
        ["mkdir", "-p", "/tmp/x"],
        ["docker", "run", "-p", "80:80", "nginx"],
        ["ssh", "-p", "22", "host"],
        ["app", "--password-file=/run/secrets/db"],
        ["app", "--password-file", "/run/secrets/db"],
        ["app", "--token-file", "/var/run/token"],
        ["docker", "login", "--password-stdin"],
        ["psql", "--no-password", "shop"],
        ["app", "--max-tokens=100"],
        ["app", "--tokenizer", "bert"],
        ["sort", "--key=2,2"],
        ["sort", "-k", "2"],
        ["app", "--tls-key=/etc/tls/tls.key"],
        ["app", "--private-key", "/etc/tls/tls.key"],
        ["app", "--private-key=server.pem"],
        ["ssh", "-i", "/root/.ssh/id_ed25519", "host"],
        ["ssh-keygen", "-t", "ed25519", "-f", "key"],
        ["app", "--secret-name=db-credentials"],
        ["app", "--author", "me"],
        ["env", "PWD=/root", "OLDPWD=/"],
        ["curl", "https://example.com/a/b?page=2"],
        ["curl", "-u", "me", "https://example.com"],
        ["curl", "http://user@host/"],
        ["git", "clone", "ssh://git@github.com/x/y"],
        ["mysql", "-u", "root", "-p", "shop"],
        ["mysql", "--port=3306", "-P", "3306"],
        ["app", "--password"],
        ["app", "--password="],
        ["app", "--password=$DB_PASSWORD"],
        ["app", "--auth=basic"],
        ["app", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
        ["python", "-c", "print(keys[0])"],
        ["grep", "-r", "password", "/etc"],
        ["passwd", "root"],
        ["monkey", "bearer"],
        [],
    ],
)
def test_what_is_no_secret_stays(argv: list[str]) -> None:
    assert redact(tuple(argv), KEY) == (tuple(argv), False)


def test_equal_secrets_have_equal_marks_and_another_key_gives_another_mark() -> None:
    first, _ = redact(("app", f"--password={SECRET}"), KEY)
    second, _ = redact(("other", "--token", SECRET), KEY)
    third, _ = redact(("app", f"--password={SECRET}"), b"another")
    assert first[1].partition("=")[2] == second[2]
    assert third != first


@given(st.lists(st.text(alphabet=st.sampled_from("ap=s:/@?& \"'-wordtokenkey{}\\;|"), max_size=200), max_size=8))
def test_redacting_twice_changes_nothing_more(argv: list[str]) -> None:
    once, _ = redact(tuple(argv), KEY)
    assert redact(once, KEY)[0] == once


@given(st.lists(st.text(), max_size=6))
def test_any_text_can_be_redacted_and_keeps_its_number_of_arguments(argv: list[str]) -> None:
    words, changed = redact(tuple(argv), KEY)
    assert len(words) == len(argv)
    assert changed == (words != tuple(argv))


@pytest.mark.parametrize(
    "text",
    [
        "password", "token=", "://a:", "eyJ", "eyJaaaaaa.", "-----BEGIN PRIVATE KEY-----", "a-", "a=", "key ", "'\"",
        "Authorization",
        "bearer ", "x-a", "'", '"', "\\", "://@", "pass:", "((", "k-", "mysql -p", "cookie:", 'token:"',
    ],
)  # fmt: skip
def test_hostile_text_costs_less_than_half_a_second(text: str) -> None:
    argv = tuple("key" + text * (16_000 // len(text)) for _ in range(4))
    began = time.perf_counter()
    redact(argv, KEY)
    assert time.perf_counter() - began < 0.5


def test_what_is_too_long_to_look_at_is_replaced() -> None:
    (word,), changed = redact(("token " + "x" * 20_000 + SECRET,), KEY)
    assert changed
    assert SECRET not in word
