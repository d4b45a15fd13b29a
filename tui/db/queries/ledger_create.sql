-- The ledger: own schema, nothing granted, row level security on, so that no API role ever sees a run (decision 23).
do $$
begin
    if pg_catalog.to_regclass('patchdeck.runs') is null then
        create schema if not exists patchdeck;
        revoke all on schema patchdeck from public;
        create table patchdeck.runs (
            run_id uuid primary key,
            bundle text not null,
            version text not null,
            checksum text not null,
            digest text not null,
            action text not null,
            mode text not null,
            operator text not null,
            client_host text not null,
            server_version text not null,
            xid text not null,
            started_at timestamptz not null,
            finished_at timestamptz not null,
            seconds double precision not null,
            lock_seconds double precision not null,
            statements integer not null,
            outcome text not null,
            findings_before jsonb,
            surface_before jsonb not null,
            surface_after jsonb not null,
            fingerprint text
        );
        -- Written while locks are held: compressing some fifty kilobytes takes longer than keeping them.
        alter table patchdeck.runs alter column surface_before set storage external,
                                   alter column surface_after set storage external;
        alter table patchdeck.runs enable row level security;
        -- Who may read it is said and not left to an empty list, which the advisors report.
        create policy runs_owner on patchdeck.runs to current_user using (true) with check (true);
        revoke all on patchdeck.runs from public;
        comment on table patchdeck.runs is 'Runs of patchdeck on this database: what was applied or rolled back, by whom, and what it changed.';
        -- Default privileges of a Supabase project grant new tables to the API roles by name.
        perform pg_catalog.set_config('patchdeck.grantees', (
            select coalesce(string_agg(pg_catalog.quote_ident(r.rolname), ', '), '')
              from pg_catalog.pg_class c
              cross join lateral pg_catalog.aclexplode(c.relacl) a
              join pg_catalog.pg_roles r on r.oid = a.grantee and r.oid <> c.relowner
             where c.oid = 'patchdeck.runs'::pg_catalog.regclass), true);
        if pg_catalog.current_setting('patchdeck.grantees') <> '' then
            execute 'revoke all on patchdeck.runs from ' || pg_catalog.current_setting('patchdeck.grantees');
        end if;
    elsif not exists (
        select from pg_catalog.pg_attribute a
         where a.attrelid = 'patchdeck.runs'::pg_catalog.regclass and a.attname = 'fingerprint'
    ) and (
        select pg_catalog.pg_has_role(c.relowner, 'USAGE')
          from pg_catalog.pg_class c
         where c.oid = 'patchdeck.runs'::pg_catalog.regclass
    ) then
        -- A ledger of an earlier release.
        alter table patchdeck.runs add column fingerprint text;
    end if;
end
$$
