-- Cancel the statement of a session or end it: $1 = pid, $2 = the token lock_tree.sql gave it, $3 = cancel | terminate.
-- 'gone' where that transaction is not there any more: a pooled process would be serving somebody else by now.
-- 'ended' once the session is seen to be gone, 'asked' where only the signal is known to have been sent.
select case
    when not exists (
        select from pg_catalog.pg_stat_activity a
         where a.pid = $1::integer
           and concat_ws('/', extract(epoch from a.backend_start)::text, extract(epoch from a.xact_start)::text) = $2)
    then 'gone'
    when $3 = 'terminate'
    then case when pg_catalog.pg_terminate_backend($1::integer, 2000) then 'ended' else 'asked' end
    else case when pg_catalog.pg_cancel_backend($1::integer) then 'asked' else 'gone' end
end
