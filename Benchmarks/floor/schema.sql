-- The least that a fenced queue needs: one table, claimed and settled in batches by pgbench. The ceiling of everything here.
create table job (
    id          bigint generated always as identity primary key,
    state       smallint    not null default 0, -- ready, running, done
    attempt     smallint    not null default 0, -- the fencing token
    priority    smallint    not null default 0,
    run_at      timestamptz not null default now(),
    lease_until timestamptz,
    worker      integer,
    payload     jsonb       not null default '{}'
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
create index job_ready on job (priority, run_at, id) where state = 0;
create index job_lease on job (lease_until) where state = 1;
