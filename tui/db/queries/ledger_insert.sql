-- One committed run. The catalogs are those the server kept when they were read in this transaction; $16 stands for the
-- one after, where that is not the state the run promises.
insert into patchdeck.runs (
    run_id, bundle, version, checksum, digest, action, mode, operator, client_host, server_version, xid,
    started_at, finished_at, seconds, lock_seconds, statements, outcome, findings_before,
    surface_before, surface_after
) values (
    $1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, current_setting('server_version'), $10,
    now(), clock_timestamp(), $11::double precision, $12::double precision, $13::integer, $14,
    $15::jsonb, current_setting('patchdeck.surface_before')::jsonb,
    coalesce($16::jsonb, current_setting('patchdeck.surface_after')::jsonb)
)
