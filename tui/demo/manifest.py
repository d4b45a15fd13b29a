"""What `demo.toml` says: the states a demo database can begin in and the traffic on it, typed and checked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import tomli

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

    The file names parameters as %(name)s; the columns of the first row it returns are parameters of what follows.
    """

    file: str
    role: str = "authenticated"


class Flow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What users do `per_minute` times: `start`, a while of `seconds` (median, most), `step`s, then `finish`.

    It runs while all of `requires` (`schema.table` or `schema.table.column`) exists and nothing in `unless` does.
    `prepare` runs when `start` returned no row. `outcomes` are the statuses it may end in with their weights; for those
    in `troubles` an error text is drawn and `trouble` runs. Parameters: user, tenant, name, status, error (or null),
    step, steps, level, roll (0 to 1, drawn anew), and the columns of `start`'s row.
    """

    name: str
    per_minute: float
    start: Action
    requires: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    names: tuple[str, ...] = ("",)
    prepare: Action | None = None
    step: Action | None = None
    steps: tuple[int, int] = (0, 0)
    finish: Action | None = None
    seconds: tuple[float, float] = (1.0, 20.0)
    outcomes: dict[str, float] = {}
    trouble: Action | None = None
    troubles: tuple[str, ...] = ()


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who makes the traffic and what it is.

    `login` signs in; `users` returns those who may act, a row (user, tenant, claims) each; `errors` may go wrong.
    """

    login: str
    users: Action
    flows: tuple[Flow, ...]
    errors: tuple[str, ...] = ("something went wrong",)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`demo.toml` as a whole; `folder` files are named relative to where it lies."""

    superuser: str
    owner: str
    logins: tuple[str, ...]
    database: str
    roles: str
    patch: str
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
        manifest = msgspec.convert(tomli.loads(path.read_text(encoding="utf-8")), Manifest)
    except FileNotFoundError:
        raise DemoError(f"{path}: not found; this bundle has no demo") from None
    except (tomli.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise DemoError(f"{path}: {error}") from None
    missing = [file for file in named_files(manifest) if not (folder / file).is_file()]
    if missing:
        raise DemoError(f"{path}: names {missing[0]}, which is not in {folder}")
    for state in manifest.states:
        manifest.chain(state.name)
    return manifest


def named_files(manifest: Manifest) -> list[str]:
    """The files that it names, relative to its folder; not the patch: most states do without it."""
    files = [manifest.roles]
    for state in manifest.states:
        files += [*state.superuser, *state.owner]
    if manifest.traffic:
        files.append(manifest.traffic.users.file)
        for flow in manifest.traffic.flows:
            actions = (flow.prepare, flow.start, flow.step, flow.finish, flow.trouble)
            files += [action.file for action in actions if action]
    return files
