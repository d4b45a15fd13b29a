"""What the safety lint is asked and what a bundle explains of its findings: the part of the lint that a bundle states.

Apart from `tui.core.safety`, which knows every rule: reading a bundle needs none of them.
"""

from __future__ import annotations

import msgspec

Key = tuple[str, str]
"""(code, object): what a mute or a baseline names."""

PLATFORM_SCHEMAS = (
    "_analytics", "_realtime", "_supavisor", "_timescaledb_cache", "_timescaledb_catalog", "_timescaledb_config",
    "_timescaledb_internal", "auth", "cron", "extensions", "graphql", "graphql_public", "net", "pgbouncer", "pgmq",
    "pgmq_public", "pgroonga", "pgsodium", "pgsodium_masks", "pgtle", "realtime", "repack", "storage",
    "supabase_functions", "supabase_migrations", "tiger", "topology", "vault",
)  # fmt: skip
"""Schemas that belong to Supabase or to extensions, who answer for them (the advisors leave out the same ones)."""

SECRETS = (
    r"(^|_)(secret|token|password|passwd|pwd|passphrase|credentials?|(secret|private|api|auth|session|access|signing"
    r"|encryption|ssh|pgp|gpg)_?key|jwt|otp|(recovery|backup|verification|auth|2fa)_code)(_?hash|_?digest)?$"
)
"""Column names that say the value opens a door: the word at the end, so that `token_count` is none."""

SENSITIVE = (
    r"^(ssn|social_security(_number)?|drivers?_license|license_(number|key)|passport_(number|id)|national_id|tax_id"
    r"|credit_card|card_number|cvv|cvc|cvn|bank_account|account_number|routing_number|iban|swift_code|bic|session_id"
    r"|health_record|medical_record|patient_id|(insurance_number|health_insurance|medical_insurance)|treatment"
    r"|mac_address|macaddr|imei|device_uuid|certificate|activation_key|facial_recognition|two_factor)$"
)
"""Column names of personal data, the list of the advisors' sensitive_columns_exposed."""


class LintRequest(msgspec.Struct, frozen=True):
    """What safety.sql is asked: the JSON of its $1.

    `schemas` are exposed for certain, beside those that the role `exposed_by` is configured with (PostgREST's login;
    its pgrst.db_schemas, without which the advisors find nothing: facts, supabase C). `tenant_column` is the name that
    makes a table a tenant's. `unused_indexes` is off because every index of a new patch is unused, and because the
    statistics survive a rolled-back probe, so that "used" proves as little.
    """

    schemas: tuple[str, ...] = ("public",)
    exposed_by: str = "authenticator"
    platform: tuple[str, ...] = PLATFORM_SCHEMAS
    roles: tuple[str, ...] = ("anon", "authenticated")
    anonymous: str = "anon"
    tenant_column: str = "tenant_id"
    secrets: str = SECRETS
    sensitive: str = SENSITIVE
    unused_indexes: bool = False


class Mute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that the bundle explains: `object` is a finding's `key`, or the beginning of one followed by `*`."""

    code: str
    object: str
    reason: str

    def covers(self, code: str, key: str) -> bool:
        """Whether this mute speaks of that finding."""
        same = key.startswith(self.object[:-1]) if self.object.endswith("*") else key == self.object
        return code == self.code and same
