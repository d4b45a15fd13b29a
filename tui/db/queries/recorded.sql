-- A question for ledger_ask.sql: what the ledger keeps of the newest apply and of the newest run of the bundle named in
-- patchdeck.bundle, as JSON {"apply": ..., "last": ...}.
with committed as (
    select *
      from patchdeck.runs
     where bundle = current_setting('patchdeck.bundle') and outcome = 'committed'
)
select jsonb_build_object(
    'apply', (select to_jsonb(r) from committed r where action = 'apply' order by finished_at desc limit 1),
    'last', (select to_jsonb(r) from committed r order by finished_at desc limit 1))::text
