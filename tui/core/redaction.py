"""Secrets out of text that is about to be shown, logged or written: passwords, tokens, keys, wherever they stand.

Rather too much than too little: what looks like a secret's value is masked to the end of its word or quote. Linear in
the text, since a log line is outside text: nothing below can be entered twice for the same characters.
"""

from __future__ import annotations

import re
from functools import cache

MASK = "***"
"""What stands where a secret was."""

_QUOTE = re.compile(r"""\\*["']""")
_URI_PART = re.compile(r"\S+")

# libpq: 'a\'b' and a\ b; SQL: 'a''b'; JSON, also inside a JSON string: "a\"b". A quote that never ends was cut off.
_VALUE = (
    r"""(?:'(?:[^'\\]|\\.|'')*+(?:'|\Z|\\\Z)|\\+"[^"]*+(?:"|\Z)|"(?:[^"\\]|\\.)*+(?:"|\Z|\\\Z)|(?:\\.|[^\s\\])++)"""
)
_NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|credential|(?:api|private|service_role|anon|access|secret)[_-]?key"
    r"|(?:access|refresh|auth|bearer|session|api|id)[_-]?token)\w{0,20}"
)
_GIVEN = r"""(?:\\*["']\s{0,8}:|\\*["']?\s{0,8}(?:=>?|:=))\s{0,8}"""
_SECRET = (
    rf"""(?P<kept>{_NAME}{_GIVEN}|(?<![a-z])password\s{{1,8}}(?='))(?P<value>{_VALUE})"""
    r"|(?P<scheme>(?<![a-z])(?:bearer|basic)\s{1,8})[\w.~+/=-]{16,}"
    r"|(?-i:eyJ)[\w-]{6,}(?:\.[\w-]*){0,3}"
    r"|whsec_[\w+/=-]+|sb_secret_[\w-]+|sbp_[\w-]{8,}|(?<![a-z0-9])sk[-_][\w-]{16,}|SCRAM-SHA-256\$\S+"
)

# Most text has none of these, and looking for them costs a twentieth of the expression above, which holds all of them.
_HINTS = (
    "pass",
    "pwd",
    "secret",
    "credential",
    "key",
    "token",
    "bearer",
    "basic",
    "eyj",
    "whsec_",
    "sbp_",
    "sk",
    "scram",
)


def redact(text: str) -> str:
    """`text` without passwords (in URIs, connection strings, SQL, JSON, environments), tokens, keys. Never raises.

    Masks `user:password@` in any URI, values named like a secret (`password=`, `PGPASSWORD=`, `"api_key":`,
    `PASSWORD '...'`), JWTs (`eyJ...`), `whsec_`, `sb_secret_`, `sbp_`, `sk-` keys, bearer tokens and SCRAM verifiers.
    """
    if "://" in text:
        text = _URI_PART.sub(_without_password, text)
    folded = text.lower()
    if not any(hint in folded for hint in _HINTS):
        return text
    return _secret().sub(_masked, text)


@cache
def _secret() -> re.Pattern[str]:
    """Compiled when there is a hint of one: that takes as long as all that most commands ask of this module."""
    return re.compile(_SECRET, re.IGNORECASE | re.DOTALL)


def _masked(found: re.Match[str]) -> str:
    if not found["kept"]:
        return (found["scheme"] or "") + MASK
    # The quotes stay, so that JSON is still JSON and masking once more changes nothing.
    quote = _QUOTE.match(found["value"])
    if not quote:
        return found["kept"] + MASK
    closing = quote[0] if found["value"].endswith(quote[0], len(quote[0])) else ""
    return f"{found['kept']}{quote[0]}{MASK}{closing}"


def _without_password(part: re.Match[str]) -> str:
    """A run without blanks, masked up to its last @: a password may hold @, / and : unescaped."""
    run = part[0]
    begin, end = run.find("://") + 3, run.rfind("@")
    colon = run.find(":", begin, end) if 3 <= begin <= end else -1
    return f"{run[: colon + 1]}{MASK}{run[end:]}" if colon >= 0 else run
