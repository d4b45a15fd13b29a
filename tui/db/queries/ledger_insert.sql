-- One run of the transaction that is open, before anybody knows whether it will be committed: ledger_finish.sql then adds
-- what is only known at the end. The catalogs are those the server kept when they were read in this transaction.
insert into patchdeck.runs (
    run_id, bundle, version, checksum, digest, action, mode, operator, client_host, server_version, xid,
    started_at, finished_at, seconds, lock_seconds, statements, outcome, findings_before,
    surface_before, surface_after
) values (
    $1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, current_setting('server_version'), pg_current_xact_id()::text,
    now(), clock_timestamp(), 0, 0, $10::integer, $11,
    $12::jsonb, current_setting('patchdeck.surface_before')::jsonb,
    current_setting('patchdeck.surface_after')::jsonb
)
