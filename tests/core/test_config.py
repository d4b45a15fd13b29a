"""A configuration file is understood as it stands, and each mistake in it is told with its line and key, no value."""

from __future__ import annotations

import pytest

from tui.core.config import ConfigError, TargetConfig, parse

WHOLE = """\
# the project's targets
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
"""


def test_what_stands_there_is_read() -> None:
    targets = parse(WHOLE, "patchdeck.toml")
    assert list(targets) == ["staging", "prod"]
    assert targets["staging"] == TargetConfig(
        dsn="postgresql://postgres.abc@pooler.example.com:6543/postgres", environment="staging"
    )
    assert targets["prod"].password_command == ("vault", "read", "db")
    assert (targets["prod"].read_only, targets["prod"].refresh) == (True, 5.0)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("refresh = 5", "refresh = 0.1", 11, "targets.prod.refresh"),
        ("refresh = 5", 'refresh = "fast"', 11, "targets.prod.refresh"),
        ("read_only = true", "readonly = true", 10, "unknown field `readonly` at targets.prod.readonly"),
        ('environment = "staging"', 'environment = "prd"', 3, "targets.staging.environment"),
        ('environment = "staging"\n', "", 2, "missing required field `environment` at targets.staging"),
        ("[targets.staging]", "[targets.'no good']", 2, "a target's name is made of"),
        ('["vault", "read", "db"]', "[]", 12, "targets.prod.password_command"),
        ('["vault", "read", "db"]', '"vault read db"', 12, "targets.prod.password_command"),
        ("# the project's targets", "default = 1", 1, "'default' is no key here"),
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
