"""Named targets as a configuration file states them: typed, checked, every mistake with its file, line and key."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Any, Literal

import msgspec

from tui.core.deck import Environment
from tui.core.text import redact

Name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What a target may be called: it stands in commands, on screens and in file names."""


class ConfigError(Exception):
    """A configuration that can not be used; `str()` is one line naming the file, the line where known, and the key.

    No value is ever quoted: it may be a secret that was put where none belongs.
    """

    def __init__(self, file: str, reason: str, line: int | None = None) -> None:
        self.file, self.reason, self.line = file, reason, line
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")


class TargetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[targets.NAME]`. `bundle` is relative to the file's folder, `refresh` is in seconds.

    `password_command` is a program and its arguments; what it prints is the password.
    """

    dsn: Annotated[str, msgspec.Meta(min_length=1)]
    environment: Environment
    bundle: str | None = None
    read_only: bool = False
    refresh: Annotated[float, msgspec.Meta(ge=0.5, le=3600)] | None = None
    password_command: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None = None


def parse(text: str, file: str) -> dict[str, TargetConfig]:
    """The targets by name in the TOML `text` of `file` (its name in messages). Raises ConfigError."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise ConfigError(file, f"not valid TOML: {error}", int(line[1]) if line else None) from None
    for key in tree:
        if key != "targets":
            raise ConfigError(file, f"{key!r} is no key here; targets stand in [targets.NAME]", _line(text, key))
    targets = tree.get("targets", {})
    if not isinstance(targets, dict):
        raise ConfigError(file, "`targets` is a table of targets: [targets.NAME]", _line(text, "targets"))
    return {name: _target(name, tree, text, file) for name, tree in targets.items()}


def _target(name: str, tree: Any, text: str, file: str) -> TargetConfig:
    if not Name.fullmatch(name):
        allowed = "letters, digits, '.', '_' and '-', at most 64"
        raise ConfigError(file, f"a target's name is made of {allowed}", _line(text, "", name))
    try:
        target = msgspec.convert(tree, TargetConfig)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at ")
        unknown = re.search(r"unknown field `([^`]*)`", reason)
        key = unknown[1] if unknown else re.sub(r"\[.*", "", path.strip("`").removeprefix("$").lstrip("."))
        where = f"targets.{name}" + (f".{key}" if key else "")
        raise ConfigError(file, f"{reason} at {where}", _line(text, key, name)) from None
    if redact(target.dsn) != target.dsn:
        how = "take it out; PGPASSWORD, .pgpass, password_command and a prompt are the ways"
        raise ConfigError(file, f"targets.{name}.dsn holds a password: {how}", _line(text, "dsn", name))
    return target


def _line(text: str, key: str, target: str | None = None) -> int | None:
    """The line of `key`, in the table of `target` where one is named; the table's own line where the key is not found.

    tomllib tells no places of what it read (Python 3.11 documentation), so the usual way to write a key is looked for.
    """
    header = re.compile(r"\s*\[")
    table = None if target is None else re.compile(rf"\s*\[\s*targets\s*\.\s*[\"']?{re.escape(target)}[\"']?\s*\]")
    wanted = re.compile(rf"\s*\[?\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]") if key else None
    begun = None if table else 0
    for number, line in enumerate(text.splitlines(), 1):
        if table and table.match(line):
            begun = number
        elif table and header.match(line) and begun:
            break
        elif begun is not None and wanted and wanted.match(line):
            return number
    return begun or None


Source = Literal["project", "user"]
"""Whose file a target stands in: the project's `patchdeck.toml` or the user's own."""
