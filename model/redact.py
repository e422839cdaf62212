"""Secrets in arguments, replaced before anything is hashed or written.

What stays is `[redacted:<8 hex>]`: a keyed hash of the original, so that equal secrets can be told to be equal by who has
the key, and nobody else. Over-redacting is the lesser harm, but a path, a number of tokens or a key file's name stays readable.

Every pattern takes linear time (bounded or possessive repeats, anchored at a word's beginning). Cost: 2 to 3 µs
where nothing looks suspicious, which is nearly every exec; some 50 µs where something does.
"""

import re
from collections.abc import Callable
from hashlib import blake2b

from model.secrets import PROGRAMS, Takes, is_secret_name, is_secret_value

LONGEST = 16 * 1024  # characters of one argument that are looked at; what follows is replaced as a whole
_DEEPEST = 3  # commands in quotes in commands

# Where none of these stands, nothing below can match. Substrings, since one search each beats an alternation by far.
_SUSPECT = (
    "pass", "pwd", "secret", "token", "key", "auth", "cred", "bearer", "cookie", "eyj", "akia", "asia", "://", "-----begin",
    "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk_", "sk-", "aiza", "hf_", "npm_", "hvs.", "sg.",
    "sql", "maria", "curl", "redis", "mongo", "ldap", "smb", "rpcclient", "user", "zip", "7z", "rar", "http", "xh", "login",
    "bcp", "sig", "sas", "pw",
)  # fmt: skip
_DONE = re.compile(r"\[redacted:[0-9a-f]{8}\]")

# name, separator, value: password=x, "password": "x", token: x
_NAMED = re.compile(r"(?<![\w.\-])([\w.\-]{1,128}+)[\\\"']{0,6}\s{0,4}(?:=>|[=:])\s{0,4}")
_VALUE = re.compile(r"\\{0,4}\"[^\"]*+\"?|'[^']*+'?|[^\s\"'&]++")
_HEADER = re.compile(
    r"((?<![\w\-])(?:proxy-)?authorization|(?<![\w\-])(?:set-)?cookie|(?<![\w\-])(?:x-[\w\-]{0,64}|private-|job-)(?:token|key|secret))"
    r"(\s{0,4}:\s{0,4})([^\r\n\"']++)",
    re.IGNORECASE,
)
_TOKENS = re.compile(
    r"(?<![\w\-])(?:"
    r"eyJ[\w\-]{5,}+\.[\w\-]{4,}+(?:\.[\w\-]*+){0,3}"  # JWT, JWE
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_\w{20,}+|glpat-[\w\-]{16,}+|xox[a-z]-[\w\-]{10,}+"
    r"|sk_(?:live|test)_\w{10,}+|sk-[\w\-]{20,}+|AIza[\w\-]{30,}+|hf_[A-Za-z0-9]{20,}+|npm_[A-Za-z0-9]{20,}+"
    r"|hvs\.[\w\-]{20,}+|SG\.[\w\-]{10,}+\.[\w\-]{10,}+"
    r")"
)
_BEARER = re.compile(r"(?<!\w)(bearer)(\s{1,4})([\w.~+/=\-]{8,}+)", re.IGNORECASE)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^-]++|-(?!----END))*+(?:-----END [A-Z ]{0,40}-----)?")
_PASS_SOURCE = re.compile(r"(?<!\w)(pass)(:)(\S++)")  # openssl's
_WORD = re.compile(r"(?:\"[^\"]*+\"|'[^']*+'|[^\s;|&()])++")


def redact(argv: tuple[str, ...], key: bytes) -> tuple[tuple[str, ...], bool]:
    """The arguments without their secrets, and whether there were any. `key`: at most 64 bytes, of this installation."""
    if not _is_suspect("\0".join(argv)):
        return argv, False
    mask = _Mask(key)
    words = mask.options([mask.cut(word) for word in argv])
    done = tuple(mask.text(word, 0) for word in words)
    return done, done != argv


def _is_suspect(text: str) -> bool:
    text = text.lower()
    return any(word in text for word in _SUSPECT)


class _Mask:
    def __init__(self, key: bytes) -> None:
        self._key = key[:64]

    def hide(self, value: str) -> str:
        """What stands for a secret. Empty values and what is hidden already stay."""
        if not value or _DONE.fullmatch(value):
            return value
        mark = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=4, key=self._key).hexdigest()
        return f"[redacted:{mark}]"

    def cut(self, word: str) -> str:
        return word if len(word) <= LONGEST else word[:LONGEST] + self.hide(word[LONGEST:])

    def text(self, word: str, depth: int) -> str:
        """Secrets that stand anywhere in a text: a URL, a header, a shell's command."""
        if not _is_suspect(word):
            return word
        word = _KEY_BLOCK.sub(lambda found: self.hide(found[0]), word)
        word = _HEADER.sub(lambda found: found[1] + found[2] + self.hide(found[3]), word)
        word = _BEARER.sub(self._last, word)
        word = _PASS_SOURCE.sub(self._last, word)
        word = self._urls(word)
        if depth < _DEEPEST and any(char in word for char in " \t\n;|&("):
            word = self._command(word, depth)
        word = self._assignments(word)
        return _TOKENS.sub(lambda found: self.hide(found[0]), word)

    def _last(self, found: re.Match[str]) -> str:
        return found[1] + found[2] + self.hide(found[3])

    def _assignments(self, text: str) -> str:
        """Values of names that announce a secret. A value is looked for behind such a name only: so it stays linear."""
        parts, done, at = [], 0, 0
        while (found := _NAMED.search(text, at)) is not None:
            at = found.end()
            value = _VALUE.match(text, at) if is_secret_name(found[1]) else None
            inner = value[0].strip("\\\"'") if value else ""
            if value is not None and inner and is_secret_value(found[1], inner):
                parts += [text[done:at], value[0].replace(inner, self.hide(inner), 1)]
                done = at = value.end()
        return "".join(parts) + text[done:]

    def _urls(self, text: str) -> str:
        """user:password@ behind `://`, by one walk from left to right."""
        parts, at = [], 0
        while (start := text.find("://", at)) >= 0:
            start += 3
            end = _authority_end(text, start)
            parts += [text[at:start], self._authority(text[start:end])]
            at = end
        return "".join(parts) + text[at:]

    def _authority(self, authority: str) -> str:
        login, at, host = authority.rpartition("@")
        if not at:
            return authority
        user, colon, password = login.partition(":")
        if colon:
            return f"{user}:{self.hide(password)}@{host}"
        return f"{self.hide(user) if len(user) >= 16 else user}@{host}"

    def _command(self, text: str, depth: int) -> str:
        """A shell's command: its words as arguments of their own."""
        found = list(_WORD.finditer(text))
        words = [self._quoted(one[0], depth) for one in found]
        parts, at = [], 0
        for one, word in zip(found, self.options(words), strict=True):
            parts += [text[at : one.start()], word]
            at = one.end()
        return "".join(parts) + text[at:]

    def _quoted(self, word: str, depth: int) -> str:
        quote = word[0]
        if quote in "\"'" and word[-1] == quote and " " in word:
            return quote + self.text(word[1:-1], depth + 1) + quote
        return word

    def options(self, words: list[str]) -> list[str]:
        """Secrets that an option before them, or the program, makes known."""
        done: list[str] = []
        program = Takes()
        hide: Callable[[str], str] | None = None
        for word in words:
            if hide is not None and not word.startswith("-"):
                done.append(hide(word))
                hide = None
                continue
            program = program.after(word, PROGRAMS)
            changed, hide = self._option(word, program)
            done.append(changed)
        return done

    def _option(self, word: str, program: Takes) -> tuple[str, Callable[[str], str] | None]:
        """The word without its secret, and what hides the next one, if that is a secret."""
        if word in program.secret:
            return word, self.hide
        if word in program.login:
            return word, self._login
        for short in (*program.attached, *program.login):
            if len(short) == 2 and word.startswith(short) and len(word) > 2 and not word.startswith("--"):
                return short + (self._login if short in program.login else self.hide)(word[2:].strip("\"'")), None
        return self._named(word)

    def _named(self, word: str) -> tuple[str, Callable[[str], str] | None]:
        name, equals, value = word.partition("=")
        if not is_secret_name(name.lstrip("-")) or " " in name:
            return word, None
        if equals:
            return (f"{name}={self.hide(value)}" if is_secret_value(name, value) else word), None
        return word, (lambda value: self.hide(value) if is_secret_value(name, value) else value) if word[0] == "-" else None

    def _login(self, value: str) -> str:
        """user:password, or user%password."""
        for mark in ":%":
            user, found, password = value.partition(mark)
            if found:
                return user + mark + self.hide(password)
        return value


def _authority_end(text: str, start: int) -> int:
    for at in range(start, len(text)):
        if text[at] in "/?# \t\n\"'<>":
            return at
    return len(text)
