insert into patchdeck.runs (
    run_id, bundle, version, checksum, action, mode, operator, client_host, server_version, xid,
    started_at, finished_at, seconds, lock_seconds, statements, outcome, surface_before, surface_after
) values (
    $1::uuid, $2, $3, $4, $5, $6, $7, $8, current_setting('server_version'), $9,
    now(), clock_timestamp(), $10::double precision, $11::double precision, $12::integer, $13,
    $14::jsonb, $15::jsonb
)
