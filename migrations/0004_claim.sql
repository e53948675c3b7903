-- What workers do, the first half: lease and claim; the other half is the settle and the upkeep. Each is one function and one round trip, run with the rights of the tables' owner,
-- so that the role s3file_worker needs none of its own on them.
--
-- Plans must not depend on statistics, which lag behind a queue: where it matters, a function allows the planner nothing but its indexes.

-- A row of the lease; its number is never used again.
create function s3file.register(host text, pid integer, version text, lease interval, queues text[] default null) returns bigint
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    insert into s3file.worker (host, pid, version, expires_at, queues)
    values (register.host, register.pid, register.version, now() + register.lease, register.queues)
    returning id
$$;

-- Prolongs a lease. False is final: a reaper has taken the row, and this worker must drop its results. A lease that ran out while the
-- database was away is saved by the first heartbeat after it, for until it was reaped nobody else has its jobs.
create function s3file.beat(worker bigint, lease interval) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    update s3file.worker w set seen_at = now(), expires_at = now() + beat.lease where w.id = beat.worker;
    return found;
end
$$;

-- Ends a lease. The jobs that it still holds go back at the next reap.
create function s3file.unregister(worker bigint) returns void
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$ delete from s3file.worker w where w.id = unregister.worker $$;

-- Whose turn it is to do work that one process at a time should do.
create function s3file.take_turn(task text, every interval) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    update s3file.maintenance m set due_at = now() + take_turn.every where m.task = take_turn.task and m.due_at <= now();
    return found;
end
$$;

-- Where there is work, and from which place on: one row for each queue and priority that has a job waiting. An ordinary queue's dead rows
-- gather at its front as long as some transaction anywhere is open; a worker that knows where the living begin does not read them again.
create function s3file.lanes(queues text[]) returns table (queue text, priority smallint)
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return query
    with recursive lane as (
        select q.name as queue,
               (select min(j.priority) from s3file.job j where j.queue = q.name and j.worker is null and not j.fair) as priority
          from s3file.queue q
         where not q.paused and not q.fair and (lanes.queues is null or q.name = any(lanes.queues))
        union all
        select lane.queue,
               (select min(j.priority) from s3file.job j
                 where j.queue = lane.queue and j.priority > lane.priority and j.worker is null and not j.fair)
          from lane where lane.priority is not null)
    -- Among equals no queue comes first for good.
    select lane.queue, lane.priority from lane where lane.priority is not null order by lane.priority, random();
end
$$;

-- The next jobs of the fair queues, marked by nobody yet: round and round the owners, within the limits. The queue's row is locked until the
-- claim commits, so what is in flight can be counted and stays true.
create function s3file.fair_turn(queues text[], room integer) returns uuid[]
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    q      s3file.queue;
    chosen uuid[] := '{}';
    turn   record;
begin
    for q in
        select * from s3file.queue f
         where f.fair and not f.paused and (fair_turn.queues is null or f.name = any(fair_turn.queues)) order by f.name for no key update
    loop
        exit when cardinality(chosen) >= room;
        -- Owners (with a bucket each) in their order, from where the last turn ended, and round again: at most 200 of them.
        with recursive pair(owner, bucket, place, wrapped) as (
            select n.owner, n.bucket, 1, n.wrapped from lateral (
                (select j.owner, j.bucket, false as wrapped from s3file.job j
                  where j.queue = q.name and j.worker is null and j.fair and (j.owner, j.bucket) > (q.last_owner, q.last_bucket)
                  order by j.owner, j.bucket limit 1)
                union all
                (select j.owner, j.bucket, true from s3file.job j
                  where j.queue = q.name and j.worker is null and j.fair and (j.owner, j.bucket) <= (q.last_owner, q.last_bucket)
                  order by j.owner, j.bucket limit 1)
                limit 1) n
            union all
            select n.owner, n.bucket, pair.place + 1, n.wrapped from pair, lateral (
                (select j.owner, j.bucket, pair.wrapped from s3file.job j
                  where not pair.wrapped and j.queue = q.name and j.worker is null and j.fair
                    and (j.owner, j.bucket) > (pair.owner, pair.bucket)
                  order by j.owner, j.bucket limit 1)
                union all
                (select j.owner, j.bucket, true from s3file.job j
                  where not pair.wrapped and j.queue = q.name and j.worker is null and j.fair
                    and (j.owner, j.bucket) <= (q.last_owner, q.last_bucket)
                  order by j.owner, j.bucket limit 1)
                union all
                (select j.owner, j.bucket, true from s3file.job j
                  where pair.wrapped and j.queue = q.name and j.worker is null and j.fair
                    and (j.owner, j.bucket) > (pair.owner, pair.bucket) and (j.owner, j.bucket) <= (q.last_owner, q.last_bucket)
                  order by j.owner, j.bucket limit 1)
                limit 1) n
             where pair.place < 200),
        flying as (
            select j.owner, j.bucket, count(*) as number from s3file.job j
             where j.worker is not null and j.fair and j.queue = q.name group by j.owner, j.bucket),
        of_owners as (select f.owner, sum(f.number) as number from flying f group by f.owner),
        of_buckets as (select f.bucket, sum(f.number) as number from flying f group by f.bucket),
        -- Who is at a limit already takes no number from those who are not.
        around as (
            select p.owner, p.bucket, p.place, coalesce(o.number, 0) as owner_flying, coalesce(b.number, 0) as bucket_flying
              from pair p left join of_owners o on o.owner = p.owner left join of_buckets b on b.bucket = p.bucket
             where coalesce(o.number, 0) < coalesce(q.max_in_flight_per_owner, 2147483647)
               and coalesce(b.number, 0) < coalesce(q.max_in_flight_per_bucket, 2147483647)),
        due as (
            select a.owner, a.bucket, a.place, a.owner_flying, a.bucket_flying, d.upload_id, d.priority, d.nth
              from around a cross join lateral (
                   select w.*, row_number() over () as nth from (
                       -- Priority by priority, as in an ordinary queue: what is not due yet must not be read.
                       select x.upload_id, x.priority from (
                           with recursive level(priority) as (
                               (select j.priority from s3file.job j
                                 where j.queue = q.name and j.owner = a.owner and j.bucket = a.bucket and j.worker is null and j.fair
                                 order by j.priority limit 1)
                               union all
                               select (select j.priority from s3file.job j
                                        where j.queue = q.name and j.owner = a.owner and j.bucket = a.bucket and j.worker is null
                                          and j.fair and j.priority > level.priority
                                        order by j.priority limit 1)
                                 from level where level.priority is not null)
                           select l.upload_id, l.priority from level cross join lateral (
                               select j.upload_id, j.priority from s3file.job j
                                where j.queue = q.name and j.owner = a.owner and j.bucket = a.bucket and j.worker is null and j.fair
                                  and j.priority = level.priority and j.run_at <= now()
                                order by j.run_at, j.upload_id limit room) l) x
                        limit greatest(2 * room / (select count(*) from around), 4)) w) d),
        within_owner as (
            select d.*, row_number() over (partition by d.owner order by d.priority, d.nth, d.place) + d.owner_flying as of_owner from due d),
        within_bucket as (
            select o.*, row_number() over (partition by o.bucket order by o.priority, o.nth, o.place) + o.bucket_flying as of_bucket
              from within_owner o where o.of_owner <= coalesce(q.max_in_flight_per_owner, o.of_owner)),
        admitted as (
            select n.upload_id, n.owner, n.bucket, row_number() over (order by n.priority, n.nth, n.place) as position
              from within_bucket n
             where n.of_bucket <= coalesce(q.max_in_flight_per_bucket, n.of_bucket)),
        taken as (
            select * from admitted a
             where a.position <= least(room - cardinality(chosen),
                                       coalesce(q.max_in_flight - (select coalesce(sum(f.number), 0) from flying f), room)))
        select array_agg(t.upload_id) as ids,
               coalesce((array_agg(t.owner order by t.position desc))[1], (select p.owner from pair p where p.place = 200)) as owner,
               coalesce((array_agg(t.bucket order by t.position desc))[1], (select p.bucket from pair p where p.place = 200)) as bucket
          into turn from taken t;
        chosen := chosen || turn.ids;
        -- Nothing to take among 200: the next turn looks beyond them.
        if turn.owner is not null then
            update s3file.queue f set last_owner = turn.owner, last_bucket = turn.bucket where f.name = q.name;
        end if;
    end loop;
    return chosen;
end
$$;

-- Claims due jobs for a worker that lives, counting the attempt, and tells what to move.
--
-- Without lanes it looks for the lanes itself, and serves the fair queues too; with those of an earlier claim it reads on from there. Lanes
-- that it is not told of it does not see: so a worker claims without them every now and then, and whenever a claim comes back short.
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

revoke execute on all functions in schema s3file from public;
