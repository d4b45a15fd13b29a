"""The built wheel is the whole product: installed elsewhere it brings its bundle and its demo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

# pip is steered by the home and the environment of whoever runs the tests; the fixtures take both away.
PIP_ENVIRONMENT = dict(os.environ)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel with its demo and nothing of this repository."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    environment = {name: value for name, value in PIP_ENVIRONMENT.items() if name != "PYTHONPATH"}

    def run(*command: str | Path) -> None:
        subprocess.run(command, env=environment, cwd=folder, check=True)

    run(*pip, "wheel", "--no-deps", "--wheel-dir", folder / "dist", ROOT)
    (wheel,) = (folder / "dist").glob("patchdeck-*.whl")
    run(sys.executable, "-m", "venv", folder / "env")
    run(folder / "env/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet", "install", f"{wheel}[demo]")
    return folder / "env/bin"


def test_the_wheel_stands_alone(installed: Path, demo_folder: Path, tmp_path: Path) -> None:
    clean = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PATCHDECK_DEMO_HOME": str(demo_folder)}
    shown = subprocess.run(
        [installed / "patchdeck", "--help"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
    )
    assert "rehearse" in shown.stdout
    mine = tmp_path / "mine"
    for step in ("new", "check"):
        subprocess.run([installed / "patchdeck", "bundle", step, mine], cwd=tmp_path, env=clean, check=True)
    derive = [installed / "patchdeck", "bundle", "derive", mine, "--output", mine / "draft.toml"]
    subprocess.run(derive, cwd=tmp_path, env=clean, check=True)
    assert "public.notes" in (mine / "draft.toml").read_text(encoding="utf-8")
    with subprocess.Popen(
        [installed / "patchdeck", "demo", "--serve"], cwd=tmp_path, env=clean, stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        try:
            dsn = demo.stdout.readline().strip()
            command: list[str | Path] = [installed / "patchdeck", "apply", "--confirm", "postgres"]
            applied = subprocess.run(command, cwd=tmp_path, env={**clean, "PATCHDECK_DSN": dsn}, check=False)
            assert applied.returncode == 0
        finally:
            demo.terminate()
    assert demo.returncode == 0
