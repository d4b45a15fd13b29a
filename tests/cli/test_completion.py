"""Completion, asked for as a shell does: the script is really sourced, words are typed, the answers are looked at."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import environment, patchdeck
from tests.support import ROOT

CONFIG = """
[targets.prod]
environment = "production"
dsn = "postgresql://postgres@127.0.0.1:1/postgres"
[targets.preview]
environment = "staging"
dsn = "postgresql://postgres@127.0.0.1:1/postgres"
[targets.laptop]
environment = "local"
dsn = "postgresql://postgres@127.0.0.1:1/postgres"
"""

# As readline does it: the words of the line, cut at COMP_WORDBREAKS; the function that `complete` names is called with
# the command, the word and the one before, and leaves its answers in COMPREPLY.
ASK = """
source "$1"; shift
[[ $(complete -p patchdeck) =~ -F\\ ([^ ]+) ]] || exit 9
while (( $# )); do
    IFS=$'\\t' read -r -a COMP_WORDS <<< "$1"; shift
    [[ ${COMP_WORDS[-1]} == '<empty>' ]] && COMP_WORDS[-1]=''
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 )) COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE} COMPREPLY=()
    ${BASH_REMATCH[1]} patchdeck "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    (IFS=' '; echo "${COMPREPLY[*]}")
done
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A project's folder with a command `patchdeck` on its PATH, as an installation has."""
    (tmp_path / "patchdeck.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/patchdeck"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tui "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    return tmp_path


def _bash(home: Path, *lines: list[str]) -> list[set[str]]:
    """What bash offers for the last word of each line."""
    script = home / "completion.bash"
    script.write_text(patchdeck("completion", "bash").out, encoding="utf-8")
    env = environment(extra={"PATH": f"{home / 'bin'}:/usr/bin:/bin"})
    asked = ["\t".join((*line[:-1], line[-1] or "<empty>")) for line in lines]
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK.replace("compopt", ":"), "bash", script, *asked],
        cwd=home, env=env, capture_output=True, encoding="utf-8", timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_bash_is_offered_what_fits(home: Path) -> None:
    asked: dict[tuple[str, ...], set[str]] = {
        ("patchdeck", "ro"): {"rollback"},
        ("patchdeck", "status", "--wa"): {"--watch"},
        ("patchdeck", "status", "--target", ""): {"prod", "preview", "laptop"},
        ("patchdeck", "--target", "pr"): {"prod", "preview"},
        ("patchdeck", "rollback", "--mode", "restore"): {"restore", "restore-closed"},
        ("patchdeck", "rollback", "--mode", "=", "lo"): {"lock"},
        ("patchdeck", "rollback", "--mode", "="): {"lock", "restore", "restore-closed"},
        ("patchdeck", "--target", "=", "prod", "rollback", "--mo"): {"--mode"},
        ("patchdeck", "verify", "--format", ""): {"text", "json", "junit", "markdown", "sarif"},
        ("patchdeck", "report", "--format", "m"): {"markdown"},
        ("patchdeck", "verify", "--layers", "s"): {"structure", "safety"},
        ("patchdeck", "verify", "--layers", "structure,"): {"structure,safety", "structure,behaviour"},
        ("patchdeck", "bundle", ""): {"check", "derive", "new"},
        ("patchdeck", "schema", "status"): {"status", "status-all"},
        ("patchdeck", "completion", ""): {"bash", "zsh", "fish"},
        # The name of the database is typed by a person, or it proves nothing.
        ("patchdeck", "apply", "--confirm", ""): set(),
    }
    offered = _bash(home, *map(list, asked))
    assert dict(zip(asked, offered, strict=True)) == asked


@pytest.mark.parametrize("broken", ["[targets.prod", 'targets = "none"', "\x00", None])
def test_a_configuration_that_can_not_be_used_completes_nothing(home: Path, broken: str | None) -> None:
    file = home / "patchdeck.toml"
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken, encoding="utf-8")
    assert _bash(home, ["patchdeck", "status", "--target", ""], ["patchdeck", "ro"]) == [set(), {"rollback"}]


LOADED = """
import os, sys
os.environ.update(_PATCHDECK_COMPLETE="bash_complete", COMP_WORDS="patchdeck status --target ", COMP_CWORD="3")
from tui.__main__ import main
try:
    main([])
finally:
    print(*sys.modules, file=sys.stderr)
"""


def test_a_word_costs_no_more_than_it_must(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=home, env=environment(), capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, sorted(done.stdout.split())) == (0, ["plain,laptop", "plain,preview", "plain,prod"])
    assert not {"rich.console", "textual", "psycopg", "tui.output"} & set(done.stderr.split())


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_scripts(home: Path, shell: str) -> None:
    """Where the shell is installed it has to read its script; everywhere it asks the command in its own way."""
    made = patchdeck("completion", shell)
    assert (made.code, made.err) == (0, "")
    assert f"_PATCHDECK_COMPLETE={shell}_complete" in made.out
    if program := shutil.which(shell):
        script = home / f"completion.{shell}"
        script.write_text(made.out, encoding="utf-8")
        subprocess.run([program, "-n", script], check=True, timeout=30)
    words, word = ("patchdeck status --target pr", "3" if shell == "zsh" else "pr")
    asking = {"_PATCHDECK_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": word}
    offered = patchdeck(env={**asking, "PYTHONPATH": str(ROOT)}, cwd=home).out
    assert "prod" in offered and "preview" in offered and "laptop" not in offered
    assert "production" in offered


def test_an_unknown_shell_is_a_mistake() -> None:
    ran = patchdeck("completion", "tcsh")
    assert (ran.code, ran.out) == (2, "")
    assert "is not one of 'bash', 'zsh', 'fish'" in ran.err
