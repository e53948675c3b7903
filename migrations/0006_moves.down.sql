-- Back to moves that know only how to copy. What was to be stored in a special way is stored plainly from now on; copies in parts begin anew.

drop function s3file.claim, s3file.settle, s3file.tmp_left, s3file.store_as, s3file.plan_move, s3file.move_plan, s3file.abandoned_moves,
    s3file.forget_moves, s3file.stray_multipart_uploads;
drop table s3file.multipart_move;
delete from s3file.maintenance where task in ('moves', 'tmp');
drop view s3file.upload_status;
alter table s3file.upload drop column storage, drop column guarantee;
drop domain s3file.storage;

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

create function s3file.claim(
    worker bigint, room integer, queues text[] default null,
    lane_queues text[] default null, lane_priorities smallint[] default null, lane_run_ats timestamptz[] default null,
    lane_uploads uuid[] default null)
returns table (id uuid, attempt smallint, max_attempts smallint, filename text, content_type text, size bigint, tmp_bucket text, tmp_key text,
               etag text, version_id text, bucket text, key text, queue text, priority smallint, run_at timestamptz, fair boolean)
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    due uuid[];
begin
    -- The lock makes a reaper wait for this claim, and so see its jobs.
    perform from s3file.worker w where w.id = claim.worker and w.expires_at > now() and not w.draining for key share;
    if not found or room is null or room < 1 then
        return;
    end if;
    if lane_queues is null then
        select array_agg(l.queue), array_agg(l.priority), array_agg('-infinity'::timestamptz),
               array_agg('00000000-0000-0000-0000-000000000000'::uuid)
          into lane_queues, lane_priorities, lane_run_ats, lane_uploads
          from s3file.lanes(claim.queues) l;
        if exists (select from s3file.queue q where q.fair and not q.paused and (claim.queues is null or q.name = any(claim.queues))) then
            -- A job that some open transaction holds (a cancel, a release) must not make every worker wait for it.
            due := s3file.fair_turn(claim.queues, room / 2 + case when room % 2 = 1 and random() < 0.5 then 1 else 0 end);
            due := array(select j.upload_id from s3file.job j where j.upload_id = any(due) and j.worker is null
                            for no key update skip locked);
        end if;
    end if;
    due := due || array(
        select j.upload_id
          from unnest(lane_queues, lane_priorities, lane_run_ats, lane_uploads) as lane(queue, priority, run_at, upload_id)
          join s3file.queue q on q.name = lane.queue and not q.paused and not q.fair
         cross join lateral (
               select w.upload_id from s3file.job w
                where w.queue = lane.queue and w.priority = lane.priority and w.worker is null and not w.fair
                  and w.run_at <= now() and (w.run_at, w.upload_id) >= (lane.run_at, lane.upload_id)
                order by w.run_at, w.upload_id limit 1000 for no key update skip locked) j
         limit least(room - coalesce(cardinality(due), 0), 1000));
    return query
        with claimed as (
            update s3file.job j
               set worker = claim.worker, attempt = j.attempt + 1, started_at = now()
             where j.upload_id = any(due) and j.worker is null
            returning j.*),
        noted as (
            insert into s3file.event (worker, upload_ids, states, attempts)
            select claim.worker, array_agg(c.upload_id), array_agg(1::smallint), array_agg(c.attempt) from claimed c having count(*) > 0)
        select c.upload_id, c.attempt, c.max_attempts, u.filename::text, u.content_type::text, u.size::bigint, u.tmp_bucket::text,
               u.tmp_key::text, u.etag::text, u.version_id::text, u.bucket::text, u.key::text, c.queue, c.priority, c.run_at, c.fair
          from claimed c join s3file.upload u on u.id = c.upload_id;
end
$$;
comment on function s3file.claim is 'Claim due jobs for a live worker; the attempt that is returned fences the settle.';

create function s3file.settle(
    worker bigint, upload_ids uuid[], attempts smallint[], outcomes text[], delays double precision[] default null,
    codes text[] default null, messages text[] default null, etags text[] default null, version_ids text[] default null
) returns table (id uuid, state smallint, tmp_deletion bigint)
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    if not outcomes <@ array['stored', 'retry', 'failed', 'parked', 'given_back'] then
        raise exception 's3file.settle: outcomes: only stored, retry, failed, parked and given_back'
            using errcode = 'invalid_parameter_value', column = 'outcomes';
    end if;
    -- 0 is what the fence reads in a job that nobody has.
    if settle.worker is null or settle.worker < 1 then
        raise exception 's3file.settle: worker: none has this number' using errcode = 'invalid_parameter_value', column = 'worker';
    end if;
    if cardinality(upload_ids) <> any(array[cardinality(attempts), coalesce(cardinality(outcomes), 0),
            coalesce(cardinality(delays), cardinality(upload_ids))]) then
        raise exception 's3file.settle: the arrays are not of one length' using errcode = 'invalid_parameter_value';
    end if;
    return query
    with told as materialized (
        select * from unnest(settle.upload_ids, settle.attempts, outcomes, delays, codes, messages, etags, version_ids)
            as t(upload_id, attempt, outcome, delay, code, message, etag, version_id)
         -- In the order in which a cancel of several takes them.
         order by t.upload_id),
    -- A cancel that comes in between these two leaves the job where it is; the worker finds it again by give_back_others().
    ended as (
        delete from s3file.job j using told t
         where j.upload_id = t.upload_id and j.attempt = t.attempt and coalesce(j.worker, 0) = settle.worker
           and (t.outcome in ('stored', 'failed') or j.cancel_requested or j.attempt = 32767
               or (t.outcome = 'retry' and j.attempt >= j.max_attempts))
        returning j.upload_id, j.attempt, j.max_attempts, j.started_at,
                  (case when t.outcome = 'stored' then 2 when t.outcome <> 'failed' and j.cancel_requested then 4 else 3 end)::smallint as state,
                  t.outcome, t.code, t.message, t.etag, t.version_id),
    again as (
        update s3file.job j
           set worker = null, started_at = null,
               max_attempts = case when t.outcome = 'retry' then j.max_attempts else least(j.max_attempts + 1, 32767) end,
               run_at = case when t.outcome = 'given_back' then now()
                             -- The delay is what a store asked for.
                             else now() + make_interval(secs => coalesce(least(greatest(t.delay, 0), 86400),
                                                                         least(power(j.attempt, 4), 3600) * (0.9 + 0.2 * random()))) end
          from told t
         where j.upload_id = t.upload_id and j.attempt = t.attempt and coalesce(j.worker, 0) = settle.worker
           and not (t.outcome in ('stored', 'failed') or j.cancel_requested or j.attempt = 32767
               or (t.outcome = 'retry' and j.attempt >= j.max_attempts))
        returning j.upload_id, j.attempt, j.max_attempts, null::timestamptz as started_at, 0::smallint as state,
                  t.outcome, t.code, t.message, t.etag, t.version_id),
    settled as (select * from ended union all select * from again),
    recorded as (
        update s3file.upload u
           set state = s.state, attempt = s.attempt, max_attempts = s.max_attempts, started_at = coalesce(s.started_at, u.started_at),
               finished_at = case when s.state > 0 then now() end, updated_at = now(),
               stored_etag = case when s.state = 2 then s.etag end, stored_version_id = case when s.state = 2 then s.version_id end,
               error_code = case when s.outcome = 'given_back' then u.error_code else left(s.code, 100) end,
               error_message = case when s.outcome = 'given_back' then u.error_message else left(s.message, 2000) end,
               error_retryable = case when s.outcome = 'given_back' then u.error_retryable
                                      when s.code is not null then s.outcome <> 'failed' end
          from settled s
         where u.id = s.upload_id
        returning u.id, u.state, u.attempt),
    to_delete as (
        insert into s3file.tmp_deletion (upload_ids)
        select array_agg(e.upload_id) from ended e where e.state = 2 having count(*) > 0
        returning s3file.tmp_deletion.id),
    noted as (
        insert into s3file.event (worker, upload_ids, states, attempts)
        select settle.worker, array_agg(r.id), array_agg(r.state), array_agg(r.attempt) from recorded r having count(*) > 0)
    select r.id, r.state, case when r.state = 2 then (select d.id from to_delete d) end from recorded r;
end
$$;
comment on function s3file.settle is 'Record how attempts ended; what it does not return belongs to another attempt by now.';

create function s3file.tmp_left(age interval, batches integer)
returns table (id uuid, tmp_bucket text, tmp_key text, version_id text, tmp_deletion bigint)
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    select u.id, u.tmp_bucket::text, u.tmp_key::text, u.version_id::text, d.id
      from (select t.id, t.upload_ids from s3file.tmp_deletion t where t.stored_at < now() - age order by t.id limit batches) d
     cross join unnest(d.upload_ids) as one(upload_id)
      join s3file.upload u on u.id = one.upload_id
$$;

create or replace function s3file.grant_roles() returns void
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    if exists (select from pg_roles where rolname = 's3file_web') then
        grant usage on schema s3file to s3file_web;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue to s3file_web;
        grant execute on function s3file.enqueue, s3file.enqueue_many, s3file.release, s3file.cancel_held, s3file.cancel,
            s3file.retry, s3file.promise, s3file.uuid_v7 to s3file_web;
    end if;
    if exists (select from pg_roles where rolname = 's3file_worker') then
        grant usage on schema s3file to s3file_worker;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue, s3file.worker to s3file_worker;
        grant execute on function s3file.register, s3file.beat, s3file.unregister, s3file.take_turn, s3file.claim, s3file.settle,
            s3file.progress, s3file.give_back_others, s3file.reap, s3file.tmp_left, s3file.tmp_deleted, s3file.expire, s3file.prune,
            s3file.prune_events to s3file_worker;
    end if;
end
$$;
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
