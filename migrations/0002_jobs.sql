-- s3file: breaks older code
-- The queue leaves the record. `s3file.job` is narrow and holds only what waits or moves; `s3file.upload` is the record, which a worker
-- writes once, at the end. So the claim never touches a wide row or a unique index, and ending an upload is an update in place (HOT).
-- Whatever a worker or a web process does is a function here: the same from Swift, psql or any other language, and all that the two
-- roles may do.

-- Nobody may enqueue or claim between the copying of the queue and the end of this.
lock table s3file.upload, s3file.worker in access exclusive mode;

drop view s3file.upload_status;
drop function s3file.enqueue, s3file.cancel;

-- Roles belong to the whole cluster, so another database may have made them already, or be making them now.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['s3file_web', 's3file_worker'] loop
        continue when exists (select from pg_catalog.pg_roles where rolname = role_name);
        begin
            execute format('create role %I nologin', role_name);
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise notice 'Role % was not made: % may not create roles. Let an administrator create it, then grant it by s3file.grant_roles().',
                    role_name, current_user;
        end;
    end loop;
end
$$;

-- Named queues. An ordinary one hands out its jobs by priority and time. A fair one goes round its owners, and may limit how much of an
-- owner, or of a bucket, is in flight at once.
create table s3file.queue (
    name                     text collate "C" primary key,
    paused                   boolean not null default false,
    fair                     boolean not null default false,
    max_in_flight            integer,
    max_in_flight_per_owner  integer,
    max_in_flight_per_bucket integer,
    last_owner               text collate "C" not null default '',   -- where a fair queue goes on
    last_bucket              text collate "C" not null default '',
    created_at               timestamptz not null default now(),
    constraint "name: 1 to 64 of A-Z a-z 0-9 _ . -, a letter or digit first" check (name ~ '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$'),
    constraint "max_in_flight…: at least 1" check (least(max_in_flight, max_in_flight_per_owner, max_in_flight_per_bucket) >= 1),
    constraint "max_in_flight…: only of a fair queue"
        check (fair or coalesce(max_in_flight, max_in_flight_per_owner, max_in_flight_per_bucket) is null)
);
comment on table s3file.queue is 'The named queues; changed by s3file.set_queue().';
insert into s3file.queue (name) values ('default');

-- One row for each upload that waits or moves, and for no other. It has no foreign key to its upload: only the functions below write
-- here, and the key's check would cost an enqueue a fifth of its time. Nor has it checks: Postgres reads a table's checks anew in every
-- statement that writes to it, and what comes from outside is checked on its way into the upload.
create table s3file.job (
    upload_id        uuid primary key,
    queue            text collate "C" not null default 'default',
    priority         smallint         not null default 0,    -- smaller goes first
    run_at           timestamptz      not null default now(),
    worker           bigint,
    started_at       timestamptz,
    attempt          smallint         not null default 0,    -- counted at the claim; the fencing token of a settle
    max_attempts     smallint         not null default 12,
    cancel_requested boolean          not null default false,
    fair             boolean          not null default false,
    owner            text collate "C",                       -- owner and bucket: of a fair queue's jobs only
    bucket           text collate "C"
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
comment on table s3file.job is 'The queue: one row for each upload that waits for a worker or is moved by one.';

-- What old workers had in hand goes back: their settles fail from now on, and repeating a move is safe.
insert into s3file.job (upload_id, priority, run_at, attempt, max_attempts)
select id, priority, case when state = 0 then run_at else now() end, attempt, least(greatest(max_attempts, attempt::integer + (state = 1)::integer), 32767)
  from s3file.upload where state in (0, 1) and not cancel_requested;
update s3file.upload
   set state = case when cancel_requested then 4 else 0 end, worker = null, finished_at = case when cancel_requested then now() end
 where state = 1 or (state = 0 and cancel_requested);

-- A hold that a refused form gave up is told apart from what somebody cancelled by its code from now on.
update s3file.upload set error_code = 'form_refused', error_message = 'The form was not accepted.', error_retryable = true
 where state = 4 and not cancel_requested and not tmp_deleted and error_code is null;

create index job_ready  on s3file.job (queue, priority, run_at, upload_id) where worker is null and not fair;
create index job_fair   on s3file.job (queue, owner, bucket, priority, run_at, upload_id) where worker is null and fair;
create index job_moving on s3file.job (worker) where worker is not null;

-- Stored uploads whose tmp object is still to be deleted: one row for each batch that was settled, until all of it is done.
create table s3file.tmp_deletion (
    id         bigint generated always as identity primary key,
    stored_at  timestamptz not null default now(),
    upload_ids uuid[]      not null
) with (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table s3file.tmp_deletion is 'Stored uploads whose tmp object is still to be deleted, by batches.';
insert into s3file.tmp_deletion (upload_ids)
select array_agg(id) from (select id, row_number() over (order by id) / 1000 as batch from s3file.upload where state = 2 and not tmp_deleted) s group by batch;

-- What happened, for replay: one row for each batch, which is what makes it cheap. Read it through s3file.upload_event.
create table s3file.event (
    id         bigint generated always as identity primary key,
    at         timestamptz not null default now(),
    worker     bigint,
    upload_ids uuid[]      not null,
    states     smallint[]  not null,
    attempts   smallint[]  not null,
    constraint "upload_ids, states, attempts: of one length"
        check (cardinality(upload_ids) = cardinality(states) and cardinality(upload_ids) = cardinality(attempts))
) with (toast_tuple_target = 8160,   -- compressing a batch of ids costs more than its bytes
        autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
comment on table s3file.event is 'Every change of status but the first, which is the upload''s created_at.';

-- What a value must be is said by a domain and not by a check on the table: a table's checks are all made again at every update, a domain's only
-- when a value is given. A refusal shows the constraint's name, so the name says the column and the rule.
create domain s3file.field_name as text collate "C"
    constraint "field: at most 64 bytes" check (octet_length(value) <= 64)
    constraint "field: no control character" check (value !~ '[[:cntrl:]]');
create domain s3file.owner_name as text collate "C" constraint "owner: at most 255 bytes" check (octet_length(value) <= 255);
create domain s3file.filename as text constraint "filename: at most 1024 bytes" check (octet_length(value) <= 1024);
create domain s3file.content_type as text constraint "content_type: at most 255 bytes" check (octet_length(value) <= 255);
create domain s3file.file_size as bigint constraint "size: 0 to 53687091200000 bytes" check (value between 0 and 53687091200000);
create domain s3file.etag as text constraint "etag: 1 to 255 bytes" check (octet_length(value) between 1 and 255);
create domain s3file.version_id as text constraint "version_id: at most 1024 bytes" check (octet_length(value) <= 1024);
create domain s3file.max_attempts as smallint constraint "max_attempts: 1 or more" check (value >= 1);
create domain s3file.metadata as jsonb
    constraint "metadata: a JSON object" check (jsonb_typeof(value) = 'object')
    constraint "metadata: at most 8192 bytes" check (value = '{}' or octet_length(value::text) <= 8192);
create domain s3file.bucket as text collate "C" constraint "bucket: 3 to 255 bytes" check (octet_length(value) between 3 and 255);
create domain s3file.tmp_bucket as text collate "C" constraint "tmp_bucket: 3 to 255 bytes" check (octet_length(value) between 3 and 255);
create domain s3file.key as text collate "C"
    constraint "key: 1 to 1024 bytes" check (octet_length(value) between 1 and 1024)
    constraint "key: no empty, . or .. part, backslash or control character"
        check (value !~ '(^|/)\.{0,2}(/|$)|[[:cntrl:]\\]');
create domain s3file.tmp_key as text collate "C"
    constraint "tmp_key: 1 to 1024 bytes" check (octet_length(value) between 1 and 1024)
    constraint "tmp_key: no empty, . or .. part, backslash or control character"
        check (value !~ '(^|/)\.{0,2}(/|$)|[[:cntrl:]\\]');

-- No index may hold a column that the end of an upload changes: else that update would have to write every index.
drop index s3file.upload_queued, s3file.upload_moving, s3file.upload_tmp_left, s3file.upload_owner;
alter table s3file.upload
    drop constraint upload_state_known,
    drop constraint upload_finished_has_time,
    drop constraint upload_moving_has_worker,
    drop constraint upload_attempt_range,
    drop constraint upload_field_length,
    drop constraint upload_owner_length,
    drop constraint upload_filename_length,
    drop constraint upload_content_type_length,
    drop constraint upload_size_range,
    drop constraint upload_bucket_length,
    drop constraint upload_tmp_key_length,
    drop constraint upload_tmp_key_canonical,
    drop constraint upload_key_length,
    drop constraint upload_key_canonical,
    drop constraint upload_key_present,
    drop constraint upload_etag_length,
    drop constraint upload_metadata_bounded,
    drop column run_at,
    drop column worker,
    drop column cancel_requested,
    add column queue text collate "C" not null default 'default',
    alter column max_attempts type s3file.max_attempts,
    alter column field type s3file.field_name using regexp_replace(field, '[[:cntrl:]]', '_', 'g'),
    alter column owner type s3file.owner_name,
    alter column filename type s3file.filename,
    alter column content_type type s3file.content_type,
    alter column size type s3file.file_size,
    alter column etag type s3file.etag,
    alter column version_id type s3file.version_id,
    alter column metadata type s3file.metadata,
    alter column tmp_bucket type s3file.tmp_bucket,
    alter column tmp_key type s3file.tmp_key,
    alter column bucket type s3file.bucket,
    alter column key type s3file.key,
    -- A page needs room for a second version of each of its rows, since one settle ends many neighbours at once.
    set (fillfactor = 45),
    add constraint "state: 0 or 2 to 5; finished_at: from 2 on; key: unless 5"
        check (state between 0 and 5 and state <> 1 and (state >= 2) = (finished_at is not null) and (state = 5 or key is not null));
alter table s3file.upload rename constraint upload_one_use to "tmp_bucket, tmp_key: claimed once";
alter table s3file.upload rename constraint upload_destination_reserved to "bucket, key: reserved once";
create index upload_owner on s3file.upload (owner, created_at desc) where owner is not null;

comment on table s3file.upload is 'One row an upload: the record. Read it through s3file.upload_status.';
comment on column s3file.upload.state is '0 queued or moving (its row in s3file.job tells which), 2 stored, 3 failed, 4 cancelled, 5 expired';

-- A lease is over when the row is gone, and not before: a reaper takes it, or the worker itself.
alter table s3file.worker add column queues text[] collate "C";
comment on column s3file.worker.queues is 'The queues it serves; null for all.';
comment on column s3file.worker.expires_at is 'After this a reaper may take the row. Until it has, a late heartbeat still saves the lease.';

insert into s3file.maintenance (task) values ('reap'), ('prune');

-- The stable contract for SQL readers.
create view s3file.upload_status as
select u.id,
       case when u.state > 0 then (array['moving', 'stored', 'failed', 'cancelled', 'expired'])[u.state]
            when j.worker is not null then 'moving' else 'queued' end as status,
       u.field, u.owner, u.filename, u.size, u.content_type, u.bucket, u.key,
       u.queue, u.priority,
       coalesce(j.attempt, u.attempt) as attempt,
       coalesce(j.max_attempts, u.max_attempts) as max_attempts,
       case when u.state = 2 then u.size else u.copied end as copied_bytes,
       u.error_code, u.error_message, u.error_retryable,
       case when j.worker is null then j.run_at end as next_attempt_at,
       coalesce(j.cancel_requested, false) as cancel_requested,
       u.metadata,
       u.created_at,
       greatest(u.updated_at, j.started_at) as updated_at,
       coalesce(j.started_at, u.started_at) as started_at,
       case when u.state = 2 then u.finished_at end as stored_at,
       u.finished_at
  from s3file.upload u left join s3file.job j on j.upload_id = u.id;

comment on view s3file.upload_status is 'The documented way to read uploads by SQL; its columns keep their names and meanings.';
comment on column s3file.upload_status.id is 'UUIDv7, given when the upload was verified.';
comment on column s3file.upload_status.status is 'queued, moving, stored, failed, cancelled or expired. The last four are ends; retry() takes failed and cancelled up again.';
comment on column s3file.upload_status.field is 'The form field.';
comment on column s3file.upload_status.owner is 'Whose it is, as the app said when it was enqueued.';
comment on column s3file.upload_status.filename is 'The person''s own name for the file.';
comment on column s3file.upload_status.size is 'Bytes.';
comment on column s3file.upload_status.content_type is 'As the browser declared and the field accepted it.';
comment on column s3file.upload_status.bucket is 'The bucket of the stored file.';
comment on column s3file.upload_status.key is 'Where the file is, or will be, stored; reserved when enqueued. Null for an expired tmp object that no form claimed.';
comment on column s3file.upload_status.queue is 'The queue it was put into.';
comment on column s3file.upload_status.priority is 'Smaller goes first.';
comment on column s3file.upload_status.attempt is 'Attempts begun so far; above 0 while queued means that another try is due.';
comment on column s3file.upload_status.max_attempts is 'It fails when so many attempts were in vain.';
comment on column s3file.upload_status.copied_bytes is 'How much of a long copy is done; all of it once stored.';
comment on column s3file.upload_status.error_code is 'Of the last attempt that went wrong: source_changed, destination_exists, worker_lost, or the code that S3 gave.';
comment on column s3file.upload_status.error_message is 'A sentence for people.';
comment on column s3file.upload_status.error_retryable is 'Whether another attempt may help.';
comment on column s3file.upload_status.next_attempt_at is 'While queued: not before this.';
comment on column s3file.upload_status.cancel_requested is 'While moving: it ends as cancelled, unless it is stored first.';
comment on column s3file.upload_status.metadata is 'What the app gave along: a JSON object, at most 8,192 bytes.';
comment on column s3file.upload_status.created_at is 'When it was enqueued.';
comment on column s3file.upload_status.updated_at is 'When any of this last changed.';
comment on column s3file.upload_status.started_at is 'When its latest attempt began.';
comment on column s3file.upload_status.stored_at is 'When it was stored.';
comment on column s3file.upload_status.finished_at is 'When it ended, however it did.';

create view s3file.upload_event as
select e.id as event_id, e.at, x.upload_id,
       (array['queued', 'moving', 'stored', 'failed', 'cancelled', 'expired'])[x.state + 1] as status,
       x.attempt, e.worker
  from s3file.event e cross join unnest(e.upload_ids, e.states, e.attempts) as x(upload_id, state, attempt);
comment on view s3file.upload_event is 'Every change of status but the first, while the events are kept. Ids may become visible out of order: a reader overlaps.';
