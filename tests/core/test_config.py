"""A configuration file is understood as it stands, and each mistake in it is told with its line and key, no value."""

from __future__ import annotations

import pytest

from tui.core.config import ConfigError, KeyChoice, TargetConfig, parse

WHOLE = """\
theme = "light" # the project's
[targets.staging]
environment = "staging"
dsn = "postgresql://postgres.abc@pooler.example.com:6543/postgres"

[targets.prod]
environment = "production"
dsn = "postgresql://postgres.xyz@pooler.example.com:6543/postgres"
bundle = "migrations/tenants"
read_only = true
refresh = 5
password_command = ["vault", "read", "db"]

[targets."eu.west"] # a dot in a name needs quotes
environment = "local"
dsn = "postgresql:///shop"

[keys]

history = "H"
"""


def test_what_stands_there_is_read() -> None:
    config = parse(WHOLE, "patchdeck.toml")
    targets = config.targets
    assert list(targets) == ["staging", "prod", "eu.west"]
    assert targets["staging"] == TargetConfig(
        dsn="postgresql://postgres.abc@pooler.example.com:6543/postgres", environment="staging"
    )
    assert targets["prod"].password_command == ("vault", "read", "db")
    assert (targets["prod"].read_only, targets["prod"].refresh) == (True, 5.0)
    assert (config.theme, config.keys) == ("light", (KeyChoice("history", "H", "patchdeck.toml", 20),))


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("refresh = 5", "refresh = 0.1", 11, "targets.prod.refresh"),
        ("refresh = 5", 'refresh = "fast"', 11, "targets.prod.refresh"),
        ("read_only = true", "readonly = true", 10, "unknown field `readonly`: it has"),
        ('environment = "staging"', 'environment = "prd"', 3, "targets.staging.environment"),
        ('environment = "staging"\n', "", 2, "missing required field `environment` at targets.staging"),
        ("[targets.staging]", "[targets.'no good']", 2, "a target's name is made of"),
        ('["vault", "read", "db"]', "[]", 12, "targets.prod.password_command"),
        ('["vault", "read", "db"]', '"vault read db"', 12, "targets.prod.password_command"),
        ('theme = "light"', "default = 1", 1, "unknown field `default`: it has keys, targets, theme"),
        ('theme = "light"', 'theme = "solarized"', 1, "theme is one of dark, light, high-contrast, ansi"),
        ('"H"', "5", 20, "at keys.history"),
        ('[targets."eu.west"]', '[targets."eu.west"]\nrefresh = 0', 15, "targets.eu.west.refresh"),
        ("refresh = 5", "refresh = ", 11, "not valid TOML"),
        ("postgres.xyz@", "postgres.xyz:Corr3ct@", 8, "targets.prod.dsn holds a password"),
        ("6543/postgres\"\nbundle", "6543/postgres?password=Corr3ct\"\nbundle", 8, "targets.prod.dsn holds a password"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_no_value(old: str, new: str, line: int, says: str) -> None:
    text = WHOLE.replace(old, new)
    assert text != WHOLE
    with pytest.raises(ConfigError) as raised:
        parse(text, "patchdeck.toml")
    assert raised.value.line == line
    assert str(raised.value).startswith(f"patchdeck.toml:{line}: ")
    assert says.lower() in str(raised.value).lower()
    assert "Corr3ct" not in str(raised.value)
