-- A question for ledger_ask.sql: the committed runs of the bundle named in patchdeck.bundle whose id begins as
-- patchdeck.run does ('' for the newest), newest first and at most two, as a JSON array.
select coalesce(jsonb_agg(r.run order by r.finished_at desc), '[]')::text
  from (
      select finished_at,
             jsonb_build_object(
                 'record', to_jsonb(runs) - 'surface_before' - 'surface_after' - 'findings_before',
                 'xid', xid, 'digest', digest, 'before', surface_before, 'after', surface_after) as run
        from patchdeck.runs
       where bundle = current_setting('patchdeck.bundle') and outcome = 'committed'
         and starts_with(run_id::text, current_setting('patchdeck.run'))
       order by finished_at desc
       limit 2
  ) r
