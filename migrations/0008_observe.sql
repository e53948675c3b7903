-- What can be seen from outside: the trace that an upload belongs to, and how the queues stand at a price that does not grow with them.

-- The W3C traceparent of the request that enqueued it. Whoever enqueues says it for his transaction, and needs no other function for that:
--
--   begin;
--   set local s3file.traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';   -- or: select set_config('s3file.traceparent', $1, true)
--   select * from s3file.enqueue(…);
--   commit;
--
-- What is no traceparent of version 00 is not kept, and nothing fails for it: <https://www.w3.org/TR/trace-context/#traceparent-header>.
-- A default that is the same for all rows that there are, so that none is written anew.
alter table s3file.upload add column traceparent text
    default substring(current_setting('s3file.traceparent', true) from '^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$');
comment on column s3file.upload.traceparent is 'W3C trace context of the request that enqueued it, from the setting s3file.traceparent.';

-- As before, and with the traceparent. Workers of the version before read columns by their names: they go on.
drop function s3file.claim;

create function s3file.claim(
    worker bigint, room integer, queues text[] default null,
    lane_queues text[] default null, lane_priorities smallint[] default null, lane_run_ats timestamptz[] default null,
    lane_uploads uuid[] default null, takes_storage boolean default false)
returns table (id uuid, attempt smallint, max_attempts smallint, filename text, content_type text, size bigint, tmp_bucket text, tmp_key text,
               etag text, version_id text, bucket text, key text, queue text, priority smallint, run_at timestamptz, fair boolean,
               storage text, traceparent text)
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
               u.storage::text, u.traceparent
          from claimed c join s3file.upload u on u.id = c.upload_id;
end
$$;
comment on function s3file.claim is 'Claim due jobs for a live worker; the attempt that is returned fences the settle.';

-- How the queues stand, the first hundred by name, for metrics. Of each at most `at_most` jobs are looked at; beyond that the numbers are the
-- planner's, which knows tables by its statistics, and `estimated` says so. How long the oldest due job has been due is told by those that are
-- looked at, and by the first of each of the next 32 priorities; in a fair queue, whose index goes by owners, by the former alone.
create function s3file.queue_reading(at_most integer default 10000)
returns table (queue text, paused boolean, due bigint, later bigint, moving bigint, oldest_seconds double precision, estimated boolean)
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
declare
    q             record;
    in_hand       jsonb;
    seen          bigint;
    last_priority smallint;
    all_jobs      bigint;
    plan          json;
begin
    select coalesce(jsonb_object_agg(m.queue, m.number), '{}') into in_hand
      from (select h.queue, count(*) as number
              from (select j.queue from s3file.job j where j.worker is not null limit at_most) h group by h.queue) m;
    for q in select f.name, f.paused, f.fair from s3file.queue f order by f.name limit 100 loop
        queue := q.name;
        paused := q.paused;
        moving := coalesce((in_hand ->> q.name)::bigint, 0);
        if q.fair then
            select count(*), count(*) filter (where w.run_at <= now()),
                   extract(epoch from now() - min(w.run_at) filter (where w.run_at <= now()))
              into seen, due, oldest_seconds
              from (select j.run_at from s3file.job j where j.queue = q.name and j.worker is null and j.fair limit at_most) w;
        else
            -- While some transaction is held open the dead rows at the front are read as well: so once, and what was seen is not asked again.
            select count(*), count(*) filter (where w.run_at <= now()),
                   extract(epoch from now() - min(w.run_at) filter (where w.run_at <= now())), max(w.priority)
              into seen, due, oldest_seconds, last_priority
              from (select j.priority, j.run_at from s3file.job j where j.queue = q.name and j.worker is null and not j.fair
                     order by j.priority, j.run_at, j.upload_id limit at_most) w;
            if seen >= at_most then
                with recursive level(priority, place) as (
                    select last_priority, 0
                    union all
                    select (select min(j.priority) from s3file.job j
                             where j.queue = q.name and j.priority > level.priority and j.worker is null and not j.fair), level.place + 1
                      from level where level.priority is not null and level.place < 32)
                select greatest(oldest_seconds, extract(epoch from now() - min(o.run_at))) into oldest_seconds
                  from level cross join lateral (
                       select j.run_at from s3file.job j
                        where j.queue = q.name and j.priority = level.priority and j.worker is null and not j.fair and j.run_at <= now()
                        order by j.run_at limit 1) o
                 where level.place > 0 and level.priority is not null;
            end if;
        end if;
        later := seen - due;
        estimated := seen >= at_most;
        if estimated then
            execute format('explain (format json) select from s3file.job j where j.queue = %L and j.worker is null and j.fair = %L', q.name, q.fair)
               into plan;
            all_jobs := greatest(seen, (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint);
            execute format('explain (format json) select from s3file.job j where j.queue = %L and j.worker is null and j.fair = %L and j.run_at <= %L',
                           q.name, q.fair, now())
               into plan;
            due := greatest(due, least(all_jobs, (plan -> 0 -> 'Plan' ->> 'Plan Rows')::bigint));
            later := all_jobs - due;
        end if;
        oldest_seconds := coalesce(oldest_seconds, 0);
        return next;
    end loop;
end
$$;
comment on function s3file.queue_reading is 'How the queues stand, for metrics: bounded in what it reads.';

-- When each task of the upkeep is due. Sweeps have a table of their own since version 7, where rows of buckets that are used no more may
-- stay: so the newest counts.
create function s3file.tasks_due() returns table (task text, due_at timestamptz)
language sql stable
set search_path = pg_catalog, s3file, pg_temp
as $$
    select m.task, case when m.task = 'sweep' then coalesce((select max(w.due_at) from s3file.sweep w), m.due_at) else m.due_at end
      from s3file.maintenance m
$$;

-- Who works, what is overdue, and what the clock says.
create function s3file.upkeep_reading(
    out workers bigint, out late_workers bigint, out tmp_batches bigint, out tasks text[], out overdue_seconds double precision[],
    out now timestamptz
) returns record
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    select (select count(*) from s3file.worker w where w.expires_at > pg_catalog.now()),
           (select count(*) from s3file.worker w where w.expires_at <= pg_catalog.now()),
           (select count(*) from (select from s3file.tmp_deletion d limit 1000) b),
           (select coalesce(array_agg(t.task order by t.task), '{}') from s3file.tasks_due() t),
           (select coalesce(array_agg(extract(epoch from pg_catalog.now() - t.due_at)::double precision order by t.task), '{}')
              from s3file.tasks_due() t),
           clock_timestamp()
$$;
comment on function s3file.upkeep_reading is 'Workers, overdue tasks and the server''s clock, for metrics.';

create or replace function s3file.grant_roles() returns void
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    if exists (select from pg_roles where rolname = 's3file_web') then
        grant usage on schema s3file to s3file_web;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue to s3file_web;
        grant execute on function s3file.enqueue, s3file.enqueue_many, s3file.release, s3file.cancel_held, s3file.cancel,
            s3file.retry, s3file.promise, s3file.store_as, s3file.uuid_v7, s3file.queue_reading, s3file.upkeep_reading to s3file_web;
    end if;
    if exists (select from pg_roles where rolname = 's3file_worker') then
        grant usage on schema s3file to s3file_worker;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue, s3file.worker, s3file.sweep to s3file_worker;
        grant execute on function s3file.register, s3file.beat, s3file.unregister, s3file.take_turn, s3file.claim, s3file.settle,
            s3file.progress, s3file.give_back_others, s3file.reap, s3file.tmp_left, s3file.tmp_deleted, s3file.expire, s3file.prune,
            s3file.prune_events, s3file.plan_move, s3file.move_plan, s3file.abandoned_moves, s3file.forget_moves,
            s3file.stray_multipart_uploads, s3file.begin_sweep, s3file.keep_sweep, s3file.end_sweep, s3file.expirable,
            s3file.compared_by_key, s3file.compared_by_tmp_key, s3file.compared_again, s3file.other_buckets, s3file.stuck_jobs,
            s3file.store_again, s3file.take_up, s3file.forget_stored, s3file.bury_copy, s3file.mend_jobs,
            s3file.queue_reading, s3file.upkeep_reading to s3file_worker;
    end if;
end
$$;
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
