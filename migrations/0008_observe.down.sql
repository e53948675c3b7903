-- The way back to version 7: traces and readings go.

drop function s3file.queue_reading, s3file.upkeep_reading, s3file.tasks_due;
drop function s3file.claim;

create function s3file.claim(
    worker bigint, room integer, queues text[] default null,
    lane_queues text[] default null, lane_priorities smallint[] default null, lane_run_ats timestamptz[] default null,
    lane_uploads uuid[] default null, takes_storage boolean default false)
returns table (id uuid, attempt smallint, max_attempts smallint, filename text, content_type text, size bigint, tmp_bucket text, tmp_key text,
               etag text, version_id text, bucket text, key text, queue text, priority smallint, run_at timestamptz, fair boolean,
               storage text)
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
                            and (claim.takes_storage
                                 or not exists (select from s3file.upload u where u.id = j.upload_id and u.storage is not null))
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
                  -- A worker of the version before would store the file plainly. One of today asks the table nothing here.
                  and (claim.takes_storage
                       or not exists (select from s3file.upload u where u.id = w.upload_id and u.storage is not null))
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
               u.tmp_key::text, u.etag::text, u.version_id::text, u.bucket::text, u.key::text, c.queue, c.priority, c.run_at, c.fair,
               u.storage::text
          from claimed c join s3file.upload u on u.id = c.upload_id;
end
$$;
comment on function s3file.claim is 'Claim due jobs for a live worker; the attempt that is returned fences the settle.';

alter table s3file.upload drop column traceparent;

create or replace function s3file.grant_roles() returns void
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    if exists (select from pg_roles where rolname = 's3file_web') then
        grant usage on schema s3file to s3file_web;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue to s3file_web;
        grant execute on function s3file.enqueue, s3file.enqueue_many, s3file.release, s3file.cancel_held, s3file.cancel,
            s3file.retry, s3file.promise, s3file.store_as, s3file.uuid_v7 to s3file_web;
    end if;
    if exists (select from pg_roles where rolname = 's3file_worker') then
        grant usage on schema s3file to s3file_worker;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue, s3file.worker, s3file.sweep to s3file_worker;
        grant execute on function s3file.register, s3file.beat, s3file.unregister, s3file.take_turn, s3file.claim, s3file.settle,
            s3file.progress, s3file.give_back_others, s3file.reap, s3file.tmp_left, s3file.tmp_deleted, s3file.expire, s3file.prune,
            s3file.prune_events, s3file.plan_move, s3file.move_plan, s3file.abandoned_moves, s3file.forget_moves,
            s3file.stray_multipart_uploads, s3file.begin_sweep, s3file.keep_sweep, s3file.end_sweep, s3file.expirable,
            s3file.compared_by_key, s3file.compared_by_tmp_key, s3file.compared_again, s3file.other_buckets, s3file.stuck_jobs,
            s3file.store_again, s3file.take_up, s3file.forget_stored, s3file.bury_copy, s3file.mend_jobs to s3file_worker;
    end if;
end
$$;
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
