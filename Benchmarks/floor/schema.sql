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

-- A row like that of s3file.upload: the same columns, with a primary key and nothing else; and once more with that table's other indexes.
create table upload (
    id uuid primary key, state smallint not null default 0, priority smallint not null default 0, attempt smallint not null default 0,
    max_attempts smallint not null default 12, field text not null default '', owner text, filename text not null,
    content_type text not null, size bigint not null, tmp_bucket text not null, tmp_key text not null, etag text not null,
    version_id text, tmp_deleted boolean not null default false, bucket text not null, key text, stored_etag text,
    stored_version_id text, copied bigint not null default 0, error_code text, error_message text, error_retryable boolean,
    metadata jsonb not null default '{}', created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
    started_at timestamptz, finished_at timestamptz, queue text not null default 'default'
);
create table indexed_upload (like upload including all, unique (tmp_bucket, tmp_key), unique (bucket, key));
create index indexed_upload_owner on indexed_upload (owner, created_at desc) where owner is not null;
