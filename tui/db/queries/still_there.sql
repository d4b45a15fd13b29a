-- Whether process $1 is still in transaction $2 (xid8): 'working', 'waiting' for its client, or 'gone'. With $3 = 'end'
-- one that waits is terminated: 'ended'. The transaction, not the process: a pooled one serves somebody else next.
select case
           when s.state = 'waiting' and $3 = 'end' and pg_catalog.pg_terminate_backend($1::integer) then 'ended'
           else coalesce(s.state, 'gone')
       end
  from (select) as one
  left join lateral (
      select case a.wait_event_type when 'Client' then 'waiting' else 'working' end as state
        from pg_catalog.pg_stat_activity a
       where a.pid = $1::integer and a.backend_xid = $2::xid8::xid
  ) s on true
