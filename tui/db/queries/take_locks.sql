-- Takes locks as a guest would: executes the statements of the setting patchdeck.locks, a JSON object {statements, wait,
-- seconds}, all or none of them, and tries again until `seconds` are over. `wait` is the lock_timeout of one try: '0' for
-- statements that say NOWAIT, else as long as readers may queue behind one. Between two tries whoever queued gets
-- through. The last try's error stays the answer (55P03).
do $$
declare
    wish constant jsonb := pg_catalog.current_setting('patchdeck.locks')::jsonb;
    until constant timestamptz :=
        pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => (wish ->> 'seconds')::double precision);
    limit_of_statements constant text := pg_catalog.current_setting('lock_timeout');
    statement text;
begin
    perform pg_catalog.set_config('lock_timeout', wish ->> 'wait', true);
    loop
        begin
            for statement in select pg_catalog.jsonb_array_elements_text(wish -> 'statements') loop
                execute statement;
            end loop;
            exit;
        exception when lock_not_available then
            if pg_catalog.clock_timestamp() >= until then
                raise;
            end if;
        end;
        -- Not in step with a busy reader's own rhythm.
        perform pg_catalog.pg_sleep(0.003 + 0.007 * pg_catalog.random());
    end loop;
    perform pg_catalog.set_config('lock_timeout', limit_of_statements, true);
end
$$
