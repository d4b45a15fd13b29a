"""What a configuration file states: targets by name, a theme, keys; typed, every mistake with file, line and key."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

import msgspec

from tui.core.deck import Environment
from tui.core.text import redact
from tui.core.toml_places import line_of, places
from tui.core.toml_shape import read

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


ThemeName = Literal["dark", "light", "high-contrast", "ansi"]
"""How the screens may look; `ansi` is for terminals of sixteen colours."""

Source = Literal["project", "user"]
"""Whose file it is: the project's `patchdeck.toml` or the user's own."""


class KeyChoice(msgspec.Struct, frozen=True):
    """One line of `[keys]`: an action's id and the key it is to have; not yet compared with the actions there are."""

    action: str
    key: str
    file: str
    line: int | None

    def refused(self, reason: str) -> ConfigError:
        """Why this line can not be used, as an error to raise."""
        return ConfigError(self.file, f"keys.{self.action}: {reason}", self.line)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file as it stands there."""

    targets: dict[str, TargetConfig] = {}
    theme: ThemeName | None = None
    keys: dict[str, str] = {}


class Config(msgspec.Struct, frozen=True):
    """What one file states; `theme` is None where it states none."""

    targets: dict[str, TargetConfig]
    theme: ThemeName | None
    keys: tuple[KeyChoice, ...]


def parse(text: str, file: str) -> Config:
    """What the TOML `text` of `file` (its name in messages) states. Raises ConfigError for its first mistake."""
    found = read(text, _File)
    if not isinstance(found, _File):
        reason, line = found[0]
        if reason.endswith(" at theme"):
            reason = f"theme is one of {', '.join(get_args(ThemeName))}"
        raise ConfigError(file, reason, line)
    known = places(text)
    for name, target in found.targets.items():
        if not Name.fullmatch(name):
            allowed = "letters, digits, '.', '_' and '-', at most 64"
            raise ConfigError(file, f"a target's name is made of {allowed}", line_of(known, f"$.targets.{name}"))
        if redact(target.dsn) != target.dsn:
            how = "take it out; PGPASSWORD, .pgpass, password_command and a prompt are the ways"
            where = f"targets.{name}.dsn"
            raise ConfigError(file, f"{where} holds a password: {how}", line_of(known, f"$.{where}"))
    keys = tuple(KeyChoice(action, key, file, line_of(known, f"$.keys.{action}")) for action, key in found.keys.items())
    return Config(found.targets, found.theme, keys)
