-- The record of uploads, which is also their queue. Runs by `s3file migrate`, or by psql alone:
--   psql -v ON_ERROR_STOP=1 --single-transaction -f migrations/0001_uploads.sql "$DATABASE_URL"

create schema if not exists s3file;

-- One row a process start, never reused: a worker whose lease ran out cannot come back under its old number.
create table s3file.worker (
    id         bigint generated always as identity primary key,
    host       text        not null check (octet_length(host) <= 255),
    pid        integer     not null,
    version    text        not null check (octet_length(version) <= 64),
    started_at timestamptz not null default now(),
    seen_at    timestamptz not null default now(),
    expires_at timestamptz not null,
    draining   boolean     not null default false
) with (fillfactor = 50);

comment on table s3file.worker is 'One row a worker process start; its lease lives until expires_at.';

-- One row an upload: its record, its status and its place in the queue.
create table s3file.upload (
    id                uuid        primary key,
    state             smallint    not null default 0,   -- queued moving stored failed cancelled expired
    priority          smallint    not null default 0,   -- smaller goes first
    attempt           smallint    not null default 0,   -- counted at the claim; the fencing token of a settle
    max_attempts      smallint    not null default 12,
    run_at            timestamptz not null default now(),
    worker            bigint,
    cancel_requested  boolean     not null default false,
    field             text        not null default '',
    owner             text,
    filename          text        not null,
    content_type      text        not null,
    size              bigint      not null,
    tmp_bucket        text        not null,
    tmp_key           text        not null,
    etag              text        not null,
    version_id        text,
    tmp_deleted       boolean     not null default false,
    bucket            text        not null,
    key               text,
    stored_etag       text,
    stored_version_id text,
    copied            bigint      not null default 0,
    error_code        text,
    error_message     text,
    error_retryable   boolean,
    metadata          jsonb       not null default '{}',
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    started_at        timestamptz,
    finished_at       timestamptz,
    constraint upload_state_known check (state between 0 and 5),
    constraint upload_finished_has_time check ((state >= 2) = (finished_at is not null)),
    constraint upload_moving_has_worker check ((state = 1) = (worker is not null)),
    constraint upload_attempt_range check (attempt >= 0 and max_attempts >= 1),
    constraint upload_field_length check (octet_length(field) <= 64),
    constraint upload_owner_length check (octet_length(owner) <= 255),
    constraint upload_filename_length check (octet_length(filename) <= 1024),
    constraint upload_content_type_length check (octet_length(content_type) <= 255),
    constraint upload_size_range check (size between 0 and 53687091200000),
    constraint upload_bucket_length check (octet_length(bucket) between 3 and 255 and octet_length(tmp_bucket) between 3 and 255),
    constraint upload_tmp_key_length check (octet_length(tmp_key) between 1 and 1024),
    constraint upload_tmp_key_canonical check (tmp_key !~ '(^|/)(\.{0,2})(/|$)' and tmp_key !~ '[[:cntrl:]\\]'),
    constraint upload_key_length check (octet_length(key) between 1 and 1024),
    constraint upload_key_canonical check (key !~ '(^|/)(\.{0,2})(/|$)' and key !~ '[[:cntrl:]\\]'),
    constraint upload_key_present check (key is not null or state = 5),
    constraint upload_etag_length check (octet_length(etag) between 1 and 255 and octet_length(version_id) <= 1024),
    constraint upload_metadata_bounded check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 8192),
    constraint upload_one_use unique (tmp_bucket, tmp_key),
    constraint upload_destination_reserved unique (bucket, key)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

comment on table s3file.upload is 'One row an upload: record, status and place in the queue. Read it through s3file.upload_status.';

-- Partial, so that finished rows cost the claim nothing.
create index upload_queued on s3file.upload (priority, run_at, id) where state = 0;
create index upload_moving on s3file.upload (worker) where state = 1;
create index upload_tmp_left on s3file.upload (finished_at) where state = 2 and not tmp_deleted;
create index upload_owner on s3file.upload (owner, created_at desc) where owner is not null;

-- Whose turn it is to do work that one process at a time should do. Taking a turn is one UPDATE.
create table s3file.maintenance (
    task   text primary key check (octet_length(task) <= 64),
    due_at timestamptz not null default now()
);
insert into s3file.maintenance (task) values ('sweep');

-- The stable contract for SQL readers.
create view s3file.upload_status as
select u.id,
       (array['queued', 'moving', 'stored', 'failed', 'cancelled', 'expired'])[u.state + 1] as status,
       u.field, u.owner, u.filename, u.size, u.content_type, u.bucket, u.key,
       u.attempt, u.max_attempts,
       u.copied as copied_bytes,
       u.error_code, u.error_message, u.error_retryable,
       case when u.state = 0 then u.run_at end as next_attempt_at,
       u.metadata,
       u.created_at, u.updated_at, u.started_at,
       case when u.state = 2 then u.finished_at end as stored_at,
       u.finished_at
  from s3file.upload u;

comment on view s3file.upload_status is 'The documented way to read uploads by SQL.';
comment on column s3file.upload_status.status is 'queued, moving, stored, failed, cancelled or expired';
comment on column s3file.upload_status.key is 'Where the file is, or will be, stored; reserved when enqueued. Null for an expired tmp object that no form claimed.';
comment on column s3file.upload_status.attempt is 'Attempts begun so far; above 0 while queued means that another try is due.';

-- A time-ordered UUID (RFC 9562, version 7): 48 bits of Unix milliseconds, then random bits.
create function s3file.uuid_v7() returns uuid
language sql volatile parallel safe
set search_path = pg_catalog
as $$
    select encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                    from 1 for 6),
            52, 1), 53, 1), 'hex')::uuid
$$;

-- The same key with a suffix of `_` and 7 random characters before its extension, as Django names a file whose name is taken.
create function s3file.alternative_key(key text) returns text
language sql volatile
set search_path = pg_catalog
as $$
    select coalesce(m[1], alternative_key.key)
        || '_' || substr(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/=', 'xyz'), 1, 7)
        || coalesce(m[2], '')
      from (select regexp_match(alternative_key.key, '^(.*[^/])(\.[^./]+)$') as m) as parts
$$;

-- Enqueue one verified upload, in the caller's own transaction: it is moved if and only if that commits.
--
--   select * from s3file.enqueue(
--       bucket => 'media', tmp_key => 'tmp/s3file/Zk…/x.pdf', etag => '"9e10…"', size => 123, key => 'reports/x.pdf',
--       content_type => 'application/pdf', filename => 'x.pdf', owner => 'user-42');
--
-- Safe to repeat: the tmp key is the idempotency key. A cancelled or failed upload whose tmp object is still there is queued again.
-- If the wished key is taken, a suffix is added: read the final one from the result.
--
-- Refused with an error, so that a transaction of many is all or none: insufficient_privilege (42501), claimed by another owner;
-- SF409, other bytes lie under this tmp key by now; SF410, the tmp object was removed.
create function s3file.enqueue(
    bucket text, tmp_key text, etag text, size bigint, key text,
    content_type text default 'application/octet-stream', filename text default null,
    field text default '', owner text default null,
    upload_id uuid default null, version_id text default null, tmp_bucket text default null,
    run_at timestamptz default null, metadata jsonb default '{}',
    out id uuid, out final_key text, out status text, out is_new boolean
) returns record
language plpgsql volatile
set search_path = s3file, pg_catalog
as $$
declare
    wished   text := enqueue.key;
    from_    text := coalesce(enqueue.tmp_bucket, enqueue.bucket);
    name     text := coalesce(enqueue.filename, regexp_replace(enqueue.key, '^.*/', ''));
    due      timestamptz := coalesce(enqueue.run_at, now());
    existing s3file.upload;
begin
    if wished is null then
        raise exception 's3file.enqueue: key is null' using errcode = 'not_null_violation', hint = 'Name the key that the file shall be stored under.';
    end if;
    for round in 1..20 loop
        insert into s3file.upload as u
            (id, run_at, field, owner, filename, content_type, size, tmp_bucket, tmp_key, etag, version_id, bucket, key, metadata)
        values
            (coalesce(upload_id, s3file.uuid_v7()), due, enqueue.field, enqueue.owner, name, enqueue.content_type, enqueue.size,
             from_, enqueue.tmp_key, enqueue.etag, enqueue.version_id, enqueue.bucket, wished, enqueue.metadata)
        on conflict do nothing
        returning u.id, u.key into enqueue.id, final_key;
        if found then
            status := 'queued';
            is_new := true;
            return;
        end if;

        select * into existing from s3file.upload u
         where u.tmp_bucket = from_ and u.tmp_key = enqueue.tmp_key for no key update;
        if found then
            -- An expired tmp object has no owner: whoever comes too late is told so.
            if existing.state <> 5 and existing.owner is distinct from enqueue.owner then
                raise exception 's3file.enqueue: this tmp key was claimed by another owner'
                    using errcode = 'insufficient_privilege', hint = 'Upload the file again.';
            end if;
            if existing.state = 5 or (existing.state in (3, 4) and existing.tmp_deleted) then
                raise exception 's3file.enqueue: this tmp object waited too long and was removed'
                    using errcode = 'SF410', hint = 'Upload the file again.';
            end if;
            is_new := false;
            if existing.state in (3, 4) then
                -- The attempt only ever grows: it fences what is still on its way from an earlier one.
                update s3file.upload u
                   set state = 0, run_at = due, max_attempts = least(u.attempt + 12, 32767), cancel_requested = false,
                       finished_at = null, updated_at = now(), error_code = null, error_message = null, error_retryable = null,
                       etag = enqueue.etag, version_id = enqueue.version_id, size = enqueue.size, filename = name,
                       content_type = enqueue.content_type
                 where u.id = existing.id;
                existing.state := 0;
            elsif btrim(existing.etag, '"') <> btrim(enqueue.etag, '"') then
                raise exception 's3file.enqueue: other bytes lie under this tmp key than those that were enqueued before'
                    using errcode = 'SF409', hint = 'Upload the file again, under a key of its own.';
            end if;
            enqueue.id := existing.id;
            final_key := existing.key;
            status := (array['queued', 'moving', 'stored', 'failed', 'cancelled', 'expired'])[existing.state + 1];
            return;
        end if;

        -- Not the tmp key, so the destination (or, never, the id) is taken.
        wished := s3file.alternative_key(enqueue.key);
    end loop;
    raise exception 's3file.enqueue: no free key was found near the wished one' using errcode = 'unique_violation';
end
$$;

comment on function s3file.enqueue is 'Enqueue a verified upload in the caller''s transaction; idempotent on the tmp key.';

-- Withdraw an upload. A queued one is cancelled at once; a moving one ends when its worker settles. True if it will not be stored.
create function s3file.cancel(id uuid) returns boolean
language sql volatile
set search_path = s3file, pg_catalog
as $$
    with changed as (
        update s3file.upload u
           set state = case when u.state = 0 then 4 else u.state end,
               finished_at = case when u.state = 0 then now() end,
               cancel_requested = true,
               updated_at = now()
         where u.id = cancel.id and u.state in (0, 1)
        returning u.state)
    select coalesce((select state = 4 from changed), false)
$$;

comment on function s3file.cancel is 'Withdraw a queued upload, or ask the worker of a moving one to stop.';
