-- Back to one table that is record and queue. What is lost: events, named queues, and which queue an upload was in. The roles stay, for
-- they belong to the whole cluster. What workers have in hand goes back to the queue.

-- Before anything is read, so that nobody writes what would not be taken along.
lock table s3file.upload, s3file.job, s3file.tmp_deletion, s3file.worker in access exclusive mode;

drop view s3file.upload_event, s3file.upload_status;

alter table s3file.upload
    drop constraint "state: 0 or 2 to 5; finished_at: from 2 on; key: unless 5",
    drop column queue,
    add column run_at timestamptz not null default now(),
    add column worker bigint,
    add column cancel_requested boolean not null default false,
    alter column max_attempts type smallint,
    alter column field type text,
    alter column owner type text,
    alter column filename type text,
    alter column content_type type text,
    alter column size type bigint,
    alter column etag type text,
    alter column version_id type text,
    alter column metadata type jsonb,
    alter column tmp_bucket type text,
    alter column tmp_key type text,
    alter column bucket type text,
    alter column key type text,
    set (fillfactor = 70);

-- A move that is broken off costs no attempt.
update s3file.upload u
   set state = case when j.cancel_requested then 4 else 0 end, finished_at = case when j.cancel_requested then now() end,
       priority = j.priority, attempt = j.attempt,
       max_attempts = case when j.worker is null then j.max_attempts else greatest(j.max_attempts, least(j.attempt + 1, 32767)) end,
       run_at = case when j.worker is null then j.run_at else now() end
  from s3file.job j where j.upload_id = u.id;
update s3file.upload
   set tmp_deleted = true
 where state = 2 and not tmp_deleted and id not in (select unnest(d.upload_ids) from s3file.tmp_deletion d);

-- Version 1 tells what somebody cancelled from a hold that a refused form gave up by cancel_requested.
update s3file.upload
   set cancel_requested = error_code is distinct from 'form_refused',
       error_code = nullif(error_code, 'form_refused'),
       error_message = case when error_code is distinct from 'form_refused' then error_message end,
       error_retryable = case when error_code is distinct from 'form_refused' then error_retryable end
 where state = 4;

drop table s3file.job, s3file.queue, s3file.tmp_deletion, s3file.event;
drop domain
    s3file.field_name, s3file.owner_name, s3file.filename, s3file.content_type, s3file.file_size, s3file.etag, s3file.version_id,
    s3file.max_attempts, s3file.metadata, s3file.bucket, s3file.tmp_bucket, s3file.key, s3file.tmp_key;
delete from s3file.maintenance where task in ('reap', 'prune');
alter table s3file.worker drop column queues;

-- From here on as in 0001.
alter table s3file.upload
    add constraint upload_state_known check (state between 0 and 5),
    add constraint upload_finished_has_time check ((state >= 2) = (finished_at is not null)),
    add constraint upload_moving_has_worker check ((state = 1) = (worker is not null)),
    add constraint upload_attempt_range check (attempt >= 0 and max_attempts >= 1),
    add constraint upload_field_length check (octet_length(field) <= 64),
    add constraint upload_owner_length check (octet_length(owner) <= 255),
    add constraint upload_filename_length check (octet_length(filename) <= 1024),
    add constraint upload_content_type_length check (octet_length(content_type) <= 255),
    add constraint upload_size_range check (size between 0 and 53687091200000),
    add constraint upload_bucket_length check (octet_length(bucket) between 3 and 255 and octet_length(tmp_bucket) between 3 and 255),
    add constraint upload_tmp_key_length check (octet_length(tmp_key) between 1 and 1024),
    add constraint upload_tmp_key_canonical check (tmp_key !~ '(^|/)(\.{0,2})(/|$)' and tmp_key !~ '[[:cntrl:]\\]'),
    add constraint upload_key_length check (octet_length(key) between 1 and 1024),
    add constraint upload_key_canonical check (key !~ '(^|/)(\.{0,2})(/|$)' and key !~ '[[:cntrl:]\\]'),
    add constraint upload_key_present check (key is not null or state = 5),
    add constraint upload_etag_length check (octet_length(etag) between 1 and 255 and octet_length(version_id) <= 1024),
    add constraint upload_metadata_bounded check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 8192);
alter table s3file.upload rename constraint "tmp_bucket, tmp_key: claimed once" to upload_one_use;
alter table s3file.upload rename constraint "bucket, key: reserved once" to upload_destination_reserved;

drop index s3file.upload_owner;
create index upload_queued on s3file.upload (priority, run_at, id) where state = 0;
create index upload_moving on s3file.upload (worker) where state = 1;
create index upload_tmp_left on s3file.upload (finished_at) where state = 2 and not tmp_deleted;
create index upload_owner on s3file.upload (owner, created_at desc) where owner is not null;

comment on table s3file.upload is 'One row an upload: record, status and place in the queue. Read it through s3file.upload_status.';
comment on column s3file.upload.state is null;
comment on column s3file.worker.expires_at is null;

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
