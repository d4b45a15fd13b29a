"""The configuration files on this machine: the project's `patchdeck.toml` and the user's own, read when asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from platformdirs import user_config_path

from tui.core.config import Config, ConfigError, KeyChoice, Source, TargetConfig, ThemeName, parse
from tui.options import Options

PROJECT_FILE = "patchdeck.toml"
USER_FILE = "config.toml"
SIZE_LIMIT = 1024 * 1024
"""Bytes. A configuration that is larger is a mistaken path."""


class NamedTarget(msgspec.Struct, frozen=True):
    """A configured target: what its table says, and the file it stands in."""

    name: str
    settings: TargetConfig
    file: Path
    source: Source

    @property
    def bundle(self) -> Path | None:
        """Its bundle's folder, None where it names none."""
        return None if self.settings.bundle is None else (self.file.parent / self.settings.bundle).resolve()


def user_file() -> Path:
    """Where the user's own configuration is looked for."""
    return user_config_path("patchdeck") / USER_FILE


def project_file(folder: Path | None = None) -> Path | None:
    """The nearest `patchdeck.toml` from `folder` (None: the working folder) upwards, None where there is none."""
    try:
        start = (folder or Path.cwd()).resolve()
    except FileNotFoundError:
        # The working folder was removed from under this shell: there is nothing upwards of it.
        return None
    return next((path for place in (start, *start.parents) if _is_there(path := place / PROJECT_FILE)), None)


class Preferences(msgspec.Struct, frozen=True):
    """How the screens are to look and which keys they are to have; `theme` is None where no file states one."""

    theme: ThemeName | None
    keys: tuple[KeyChoice, ...]


def configured(folder: Path | None = None) -> Mapping[str, NamedTarget]:
    """Every configured target by name. Where both files name one, the user's own wins. Raises ConfigError."""
    return {
        name: NamedTarget(name, one, file, source)
        for config, file, source in _files(folder)
        for name, one in config.targets.items()
    }


def preferences(folder: Path | None = None) -> Preferences:
    """What the files say of the screens. Where both say it, the user's own wins. Raises ConfigError."""
    theme: ThemeName | None = None
    keys: dict[str, KeyChoice] = {}
    for config, _, _ in _files(folder):
        theme = config.theme or theme
        keys |= {choice.action: choice for choice in config.keys}
    return Preferences(theme, tuple(keys.values()))


def named(options: Options) -> NamedTarget | None:
    """The target that `--target` names, None where it was not given. Raises ConfigError where there is none such."""
    if options.target is None:
        return None
    known = configured()
    if options.target in known:
        return known[options.target]
    looked = str(project_file() or PROJECT_FILE)
    there = f"there are: {', '.join(sorted(known))}" if known else f"no target is configured there or in {user_file()}"
    raise ConfigError(looked, f"no target is named {options.target!r}; {there}")


def _files(folder: Path | None) -> Iterator[tuple[Config, Path, Source]]:
    """The files that are there, the user's own last."""
    files: list[tuple[Path | None, Source]] = [(project_file(folder), "project"), (user_file(), "user")]
    for file, source in files:
        if file is not None and _is_there(file):
            yield parse(_read(file, source), str(file)), file, source


def _is_there(file: Path) -> bool:
    """Whether there is such a file. Raises ConfigError where that can not be told: what it says may differ from what
    would be done without it. After `sudo -u`, HOME is often still the other user's.
    """
    try:
        return file.is_file()
    except OSError as error:
        raise ConfigError(str(file), f"can not be read: {error.strerror}") from None


def _read(file: Path, source: Source) -> str:
    try:
        status = file.stat()
        # A `patchdeck.toml` that somebody else left in a folder above could name a program to be run.
        if source == "project" and status.st_uid not in (os.getuid(), 0):
            raise ConfigError(str(file), "belongs to somebody else and is not used; copy it to use it")
        if status.st_size > SIZE_LIMIT:
            raise ConfigError(str(file), f"larger than {SIZE_LIMIT // 2**20} MiB")
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(str(file), f"not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise ConfigError(str(file), f"can not be read: {error.strerror}") from None
