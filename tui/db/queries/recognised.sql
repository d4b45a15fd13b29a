-- A question for ledger_ask.sql: the catalog that the newest apply of this very bundle (patchdeck.bundle,
-- patchdeck.digest) on this very server version left, where the fingerprint says that it is the catalog still.
select r.surface_after::text
  from patchdeck.runs r
 where r.bundle = current_setting('patchdeck.bundle') and r.digest = current_setting('patchdeck.digest')
   and r.server_version = current_setting('server_version')
   and r.action = 'apply' and r.outcome = 'committed'
   and r.fingerprint = (
{fingerprint}
   )
 order by r.finished_at desc
 limit 1
