"""What `demo.toml` says: the states a demo database can begin in and the traffic on it, typed and checked."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from tui.demo.home import DemoError

MANIFEST = "demo.toml"


class State(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A state a database can begin in: `base`'s steps, then its own: superuser files, `apply`, owner files.

    `fresh` says that its rows are dated from now, so it is not kept between starts, nor is any state built on it.
    """

    name: str
    summary: str
    base: str = ""
    superuser: tuple[str, ...] = ()
    apply: bool = False
    owner: tuple[str, ...] = ()
    fresh: bool = False


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One statement of the traffic, run in a transaction of its own as `role`.

    The file sees the parameters %(name)s of its flow; a row it returns adds its columns to them.
    """

    file: str
    role: str = "authenticated"


class Flow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What users do `per_minute` times: `start`, a while of `seconds` (median, at most), some `steps`, one `finish`.

    It runs while every relation (`schema.table`, `schema.table.column`) in `requires` exists and none in `unless` does.
    `outcomes` are the statuses it may end in with their weights; `names` what it may be called.
    """

    name: str
    per_minute: float
    start: Action
    requires: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    prepare: Action | None = None
    step: Action | None = None
    finish: Action | None = None
    trouble: Action | None = None
    seconds: tuple[float, float] = (1.0, 20.0)
    steps: tuple[int, int] = (0, 0)
    outcomes: dict[str, float] = {}
    trouble_outcomes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who makes the traffic and what it is; `users` is the query for those who may act."""

    login: str
    users: Action
    flows: tuple[Flow, ...]
    errors: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`demo.toml` as a whole; `folder` files are named relative to where it lies."""

    superuser: str
    owner: str
    logins: tuple[str, ...]
    database: str
    roles: str
    states: tuple[State, ...]
    traffic: Traffic | None = None

    def chain(self, name: str) -> tuple[State, ...]:
        """The states on the way to `name`, first one first. Raises DemoError for an unknown name or a circle."""
        known = {state.name: state for state in self.states}
        found: list[State] = []
        while name:
            if name not in known:
                raise DemoError(f"{MANIFEST}: no state {name!r}; there is: {', '.join(known)}")
            if known[name] in found:
                raise DemoError(f"{MANIFEST}: state {name!r} is built on itself")
            found.insert(0, known[name])
            name = known[name].base
        return tuple(found)


def load_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`, every file it names present. Raises DemoError naming file and reason."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Manifest)
    except FileNotFoundError:
        raise DemoError(f"{path}: not found; this bundle has no demo") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise DemoError(f"{path}: {error}") from None
    missing = [file for file in _files(manifest) if not (folder / file).is_file()]
    if missing:
        raise DemoError(f"{path}: names {missing[0]}, which is not in {folder}")
    for state in manifest.states:
        manifest.chain(state.name)
    return manifest


def _files(manifest: Manifest) -> list[str]:
    files = [manifest.roles]
    for state in manifest.states:
        files += [*state.superuser, *state.owner]
    if manifest.traffic:
        files.append(manifest.traffic.users.file)
        for flow in manifest.traffic.flows:
            actions = (flow.prepare, flow.start, flow.step, flow.finish, flow.trouble)
            files += [action.file for action in actions if action]
    return files
