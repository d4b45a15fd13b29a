"""Every way into a Supabase project is understood, and what does not go together is named with what would."""

from __future__ import annotations

import pytest

from tui.core.supabase_dsn import advice, mistake, understand

REF = "abcdefghijklmnopqrst"
SHARED, DIRECT = "aws-1-eu-central-1.pooler.supabase.com", f"db.{REF}.supabase.co"


@pytest.mark.parametrize(
    ("host", "port", "user", "says"),
    [
        (SHARED, 6543, f"postgres.{REF}", f"shared pooler, transaction mode, region eu-central-1, project {REF}"),
        (SHARED, 5432, f"postgres.{REF}", f"shared pooler, session mode, region eu-central-1, project {REF}"),
        (SHARED.upper(), 5432, f"my.role.{REF}", f"shared pooler, session mode, region eu-central-1, project {REF}"),
        (DIRECT, 5432, "postgres", f"direct connection, project {REF}"),
        (DIRECT, 6543, "postgres", f"dedicated pooler, transaction mode, project {REF}"),
    ],
)  # fmt: skip
def test_a_right_address_is_described(host: str, port: int, user: str, says: str) -> None:
    found = understand(host, port, user)
    assert found is not None
    assert found.describe() == f"Supabase {says}"
    assert mistake(found) == ""


@pytest.mark.parametrize(
    ("host", "port", "user", "says"),
    [
        (SHARED, 6543, "postgres", "postgres.YOURPROJECT, not postgres"),
        (SHARED, 6543, "postgres.YOURPROJECT", "YOURPROJECT is no project's reference"),
        (SHARED, 5433, f"postgres.{REF}", "6543 (transaction mode) and 5432 (session mode)"),
        (DIRECT, 5432, f"postgres.{REF}", "the user is postgres here"),
        (DIRECT, 6543, f"app.{REF}", "the user is app here"),
        (DIRECT, 80, "postgres", "5432 (direct) and 6543 (pooler)"),
        (f"{REF}.supabase.co", 5432, "postgres", f"db.{REF}.supabase.co:5432"),
    ],
)
def test_a_wrong_address_is_explained_with_the_right_one(host: str, port: int, user: str, says: str) -> None:
    found = understand(host, port, user)
    assert found is not None
    assert says in mistake(found)
    assert advice(found, "timeout expired") == mistake(found)


@pytest.mark.parametrize("host", ["127.0.0.1", "db.example.com", "supabase.com.example.org", "", "pooler.supabase.com"])
def test_what_is_not_supabases_is_left_alone(host: str) -> None:
    assert understand(host, 6543, "postgres") is None


def test_the_project_may_stand_in_the_options() -> None:
    found = understand(SHARED, 6543, "postgres", f"reference={REF}")
    assert found is not None
    assert (found.ref, mistake(found)) == (REF, "")


@pytest.mark.parametrize(
    ("host", "port", "user", "message", "says"),
    [
        (SHARED, 6543, f"postgres.{REF}", "FATAL: (ENOTFOUND) tenant/user not found", "another region"),
        (DIRECT, 6543, "postgres", "Connection refused", f"{DIRECT}:5432 is the direct connection"),
        (DIRECT, 5432, "postgres", "Network is unreachable", "IPv6 only"),
        (DIRECT, 5432, "postgres", "failed to resolve host", "IPv6 only"),
        (DIRECT, 6543, "postgres", "failed to resolve host", "IPv6 only"),
        (SHARED, 5432, f"postgres.{REF}", "FATAL: password authentication failed", "ten wrong ones in 150 s"),
        (SHARED, 5432, f"postgres.{REF}", "(ECHECKOUTTIMEOUT)", ""),
    ],
)
def test_an_error_is_read_with_the_address(host: str, port: int, user: str, message: str, says: str) -> None:
    found = understand(host, port, user)
    assert found is not None
    assert says in advice(found, message)
    assert bool(says) == bool(advice(found, message))


def test_channel_binding_can_not_work_through_the_shared_pooler() -> None:
    shared, direct = understand(SHARED, 6543, f"postgres.{REF}"), understand(DIRECT, 5432, "postgres")
    assert shared is not None
    assert direct is not None
    assert "channel_binding" in mistake(shared, channel_binding="require")
    assert mistake(direct, channel_binding="require") == ""
