-- A question for ledger_ask.sql: what the newest apply of this very bundle (patchdeck.bundle, patchdeck.digest) on this
-- very server version left, as far as twins go.
select jsonb_strip_nulls(jsonb_build_object(
           'tables', (select coalesce(jsonb_agg(t.body - '{grants,rules,comment}'::text[]), '[]')
                        from jsonb_array_elements(r.surface_after -> 'tables') as t (body)),
           'views', (select coalesce(jsonb_agg(v.body - '{grants,rules,comment}'::text[]), '[]')
                       from jsonb_array_elements(r.surface_after -> 'views') as v (body))))::text
  from patchdeck.runs r
 where r.bundle = current_setting('patchdeck.bundle') and r.digest = current_setting('patchdeck.digest')
   and r.server_version = current_setting('server_version')
   and r.action = 'apply' and r.outcome = 'committed'
 order by r.finished_at desc
 limit 1
