"""What a secret looks like: names that announce one, programs whose options take one."""

import re
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from math import log2

from msgspec import Struct

_PARTS = re.compile(r"[A-Z]++(?![a-z])|[A-Z]?[a-z]++|\d++")
_ENDINGS = ("password", "passwd", "passphrase", "passcode", "secret", "token", "apikey", "credential", "credentials")
_WORDS = {"pass", "pwd", "pw", "passwort", "secrets", "bearer", "authorization", "creds"}
_KEYS = {
    "api", "access", "secret", "private", "encryption", "encrypt", "signing", "account", "auth", "master", "shared",
    "storage", "session", "license", "app", "application", "subscription", "deploy", "hmac", "aes", "jwt", "webhook",
}  # fmt: skip
_WEAK = {"key", "auth", "credential", "sig", "signature", "sas", "cred"}  # only before what looks random
# Behind one of those words, the name is of something about the secret.
_ABOUT = {
    "file", "files", "path", "dir", "name", "id", "ids", "url", "uri", "endpoint", "length", "len", "size", "type", "ttl",
    "policy", "count", "age", "expiry", "expires", "expiration", "timeout", "stdin", "prompt", "fd", "env", "store",
    "provider", "format", "enabled", "required", "limit", "version", "through", "list", "mode", "method", "min", "max",
    "ref", "class", "bits", "header",
}  # fmt: skip
_NOT = {"no", "without", "skip", "disable", "ask", "max", "min"}
_FOLDER = re.compile(
    r"(?:~|\.{1,2})?/(?:etc|var|run|home|root|tmp|usr|opt|mnt|data|dev|proc|srv|app|certs?|keys?|secrets?)(?:/|\Z)"
)
_FILE = re.compile(r"[\w./~\-]{1,255}\.(?:pem|key|crt|cer|pub|p12|pfx|jks|json|ya?ml|txt|conf|cfg|ini|env)")


def is_secret_name(name: str) -> bool:
    """Whether what follows such a name may be a secret. `DB_PASSWORD`, `apiKey`, `--client-secret`; not `token-file`."""
    if len(name) > 128 or name in ("PWD", "OLDPWD"):
        return False
    words = [word.lower() for word in _PARTS.findall(name)]
    if not words or words[0] in _NOT or words[-1] in _ABOUT:
        return False
    return _is_strong(words) or words[-1] in _WEAK


def is_secret_value(name: str, value: str) -> bool:
    """Whether this value of a secret's name is one: not a file's path, a flag, or a plain word behind a weak name."""
    if not value or value.startswith(("$", "[redacted:")) or value.lower() in ("true", "false", "yes", "no", "none", "null"):
        return False
    words = [word.lower() for word in _PARTS.findall(name)]
    if any(word.endswith(("password", "passwd", "passphrase", "pass", "pwd")) for word in words):
        return True
    if _FOLDER.match(value) or _FILE.fullmatch(value):
        return False
    return _is_strong(words) or looks_random(value)


def _is_strong(words: list[str]) -> bool:
    if any(word in _WORDS or word.endswith(_ENDINGS) for word in words):
        return True
    return any(first in _KEYS and second == "key" for first, second in pairwise(words))


def looks_random(value: str) -> bool:
    """Sixteen characters or more of a key's alphabet, with much variety: 3.3 bits a character."""
    head = value[:256]
    if len(head) < 16 or not re.fullmatch(r"[\w+/=.~\-]++", head):
        return False
    counts = Counter(head).values()
    return -sum(count / len(head) * log2(count / len(head)) for count in counts) >= 3.3


class Takes(Struct, frozen=True):
    """Options of a program that a secret follows."""

    secret: tuple[str, ...] = ()  # as the next argument
    attached: tuple[str, ...] = ()  # right behind it: -pSECRET
    login: tuple[str, ...] = ()  # user:password, next or attached
    login_word: tuple[str, str] | None = None  # only after this word, this option takes a secret

    def after(self, word: str, programs: "Mapping[str, Takes]") -> "Takes":
        """What holds after this word: the options of the program that it names, or of a subcommand."""
        if self.login_word is not None and word == self.login_word[0]:
            return Takes(secret=(self.login_word[1],))
        return programs.get(word[:256].rpartition("/")[2], self)


_MYSQL = Takes(attached=("-p",))
_LDAP = Takes(secret=("-w",), attached=("-w",))
_MONGO = Takes(secret=("-p",))
_LOGIN = Takes(login_word=("login", "-p"))
_ZIP = Takes(secret=("-P",), attached=("-P",))

PROGRAMS: Mapping[str, Takes] = {
    **dict.fromkeys(("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlshow", "mysqlcheck", "mysqlpump"), _MYSQL),
    **dict.fromkeys(("mariadb", "mariadb-dump", "mariadb-admin", "mariadb-import", "mariadb-show", "mariadb-check"), _MYSQL),
    **dict.fromkeys(("ldapsearch", "ldapmodify", "ldapadd", "ldapdelete", "ldappasswd", "ldapwhoami"), _LDAP),
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"), _MONGO),
    **dict.fromkeys(("docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "oc", "az"), _LOGIN),
    **dict.fromkeys(("zip", "unzip", "zipcloak"), _ZIP),
    **dict.fromkeys(("7z", "7za", "7zr", "rar", "unrar"), Takes(attached=("-p",))),
    **dict.fromkeys(("useradd", "usermod"), Takes(secret=("-p",))),
    **dict.fromkeys(("sqlcmd", "bcp", "isql"), Takes(secret=("-P",), attached=("-P",))),
    **dict.fromkeys(("smbclient", "rpcclient", "smbget"), Takes(login=("-U", "--user"))),
    **dict.fromkeys(("http", "https", "xh"), Takes(login=("-a", "--auth"))),
    "curl": Takes(login=("-u", "--user", "-U", "--proxy-user"), secret=("-b", "--cookie", "--pass", "--oauth2-bearer")),
    "ssh": Takes(),
    "sshpass": Takes(secret=("-p",), attached=("-p",)),
    "redis-cli": Takes(secret=("-a", "--pass")),
}
