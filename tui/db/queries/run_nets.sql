-- Nets of one run, for this transaction only. A client that vanished from the network without a word is noticed within
-- about 3 s instead of the kernel's two hours, so that its locks go; and a COMMIT that was confirmed survives a crash
-- even where the database's default is synchronous_commit = off (a stronger setting than `on` is left alone).
select pg_catalog.set_config(s.name, w.value, true)
  from pg_catalog.pg_settings s
  join (
      values ('tcp_user_timeout', '3000'), ('tcp_keepalives_idle', '1'), ('tcp_keepalives_interval', '1'),
             ('tcp_keepalives_count', '2'), ('synchronous_commit', 'on')
  ) w (name, value) on w.name = s.name
 where s.name <> 'synchronous_commit' or s.setting = 'off'
