-- The server, the role, the clock: what the band and `doctor` show. One row, all columns text.
select
    current_setting('server_version'),
    current_setting('server_version_num'),
    current_database(),
    current_user,
    pg_backend_pid()::text,
    r.rolsuper::text,
    r.rolbypassrls::text,
    -- The transaction itself may be READ ONLY by our wish, so ask what a new one would be.
    (not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off')::text,
    to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
  from (select) as one
  left join pg_catalog.pg_roles r on r.rolname = current_user
