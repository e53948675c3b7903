-- What the dashboard asks and does. It is looked at while things go wrong, so no answer costs more the more there is: of the queue, the record
-- and the events each function reads a bounded part, by an index, and says when that was not all.
--
-- What failed is found by the index of version 11. Without it the answers are right, and slow.

-- What a worker knows and nobody else can see: how many jobs it takes at a time, and which buckets refuse it or have asked it for less.
alter table s3file.worker add column slots integer, add column buckets jsonb;
comment on column s3file.worker.slots is 'How many jobs it moves at a time.';
comment on column s3file.worker.buckets is
    'The buckets that refuse it ("refusedSeconds": for how long at seen_at, "code") or have it slowed down ("limit": requests at a time, "most": before that); at most 64.';

-- As before, and with what the worker says of itself. Workers of the version before name the two arguments that they know: they go on.
drop function s3file.beat;

create function s3file.beat(
    worker bigint, lease interval, slots integer default null, draining boolean default null, buckets jsonb default null
) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    update s3file.worker w
       set seen_at = now(), expires_at = now() + beat.lease, slots = coalesce(beat.slots, w.slots),
           draining = coalesce(beat.draining, w.draining),
           -- Never a reason to lose a lease: what is no list, or too long, is not kept.
           buckets = case when jsonb_typeof(beat.buckets) = 'array' and octet_length(beat.buckets::text) <= 32768 then beat.buckets end
     where w.id = beat.worker;
    return found;
end
$$;

-- The first event of a moment, or one shortly before; null when there are none. Ids are given out nearly in the order of time.
create function s3file.first_event(at timestamptz) returns bigint
language plpgsql stable
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
declare
    low    bigint := (select e.id from s3file.event e order by e.id limit 1);
    high   bigint := (select e.id from s3file.event e order by e.id desc limit 1);
    middle record;
begin
    while low < high loop
        select e.id, e.at into middle from s3file.event e where e.id >= low + (high - low) / 2 order by e.id limit 1;
        if middle.at < first_event.at then
            low := middle.id + 1;
        else
            high := low + (high - low) / 2;
        end if;
    end loop;
    return low;
end
$$;

-- What was done in each of the last minutes, the newest first, from the newest `at_most` events: `covers` is how many seconds back they reach.
-- How long it took, from enqueued to stored, and how large files are, by the newest `sample` of them.
create function s3file.rates(
    minutes integer default 10, at_most integer default 3000, sample integer default 500,
    out stored bigint[], out failed bigint[], out covers double precision,
    out sampled bigint, out mean_size double precision, out median_seconds double precision, out p95_seconds double precision
) returns record
language plpgsql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_mergejoin = off set jit = off
as $$
declare
    began     timestamptz := now() - make_interval(mins => rates.minutes);
    -- A long transaction's events have small ids and come late.
    first_id  bigint := s3file.first_event(began - interval '10 seconds');
    ids       uuid[];
    durations double precision[];
begin
    with recent as materialized (
        select e.at, cardinality(array_positions(e.states, 2::smallint)) as stored,
               cardinality(array_positions(e.states, 3::smallint)) as failed
          from s3file.event e where e.id >= first_id order by e.id desc limit at_most),
    ended as (
        select least(greatest(floor(extract(epoch from now() - r.at) / 60), 0), rates.minutes)::integer as minute,
               sum(r.stored)::bigint as stored, sum(r.failed)::bigint as failed
          from recent r group by 1)
    select array_agg(coalesce(n.stored, 0) order by m.minute), array_agg(coalesce(n.failed, 0) order by m.minute),
           (select case when count(*) < at_most then rates.minutes * 60.0
                        else least(extract(epoch from now() - min(r.at)), rates.minutes * 60.0) end from recent r)
      into rates.stored, rates.failed, rates.covers
      from generate_series(0, rates.minutes - 1) as m(minute) left join ended n on n.minute = m.minute;
    ids := array(
        select x.id
          from (select e.id, e.at, e.upload_ids, e.states from s3file.event e where e.id >= first_id order by e.id desc limit 1000) e
         cross join lateral unnest(e.upload_ids, e.states) as x(id, state)
         where x.state = 2 and e.at >= began
         order by e.id desc limit sample);
    select count(*), avg(u.size::bigint)::double precision,
           percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from u.finished_at - u.created_at)::double precision)
      into rates.sampled, rates.mean_size, durations
      from unnest(ids) as one(id) join s3file.upload u on u.id = one.id and u.state = 2;
    median_seconds := durations[1];
    p95_seconds := durations[2];
end
$$;
comment on function s3file.rates is 'How much was stored and failed of late, and how long it took: from a bounded look at the newest events.';

-- What goes wrong, by the code that S3 or we gave for it: how many have failed for it, how many will be tried again, and the newest of them. Of
-- each code the newest `at_most` are counted; `is_whole` is false where there are more.
create function s3file.failures(at_most integer default 5000, codes integer default 50)
returns table (error_code text, failed bigint, trying bigint, is_whole boolean, newest uuid, newest_at timestamptz, message text, retryable boolean)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
    with recursive code(error_code, place) as (
        select (select u.error_code from s3file.upload u where u.error_code not in ('expired', 'form_refused')
                 order by u.error_code limit 1), 1
        union all
        select (select u.error_code from s3file.upload u
                 where u.error_code > code.error_code and u.error_code not in ('expired', 'form_refused')
                 order by u.error_code limit 1), code.place + 1
          from code where code.error_code is not null and code.place < codes)
    select c.error_code, n.failed, n.trying, n.seen < at_most, u.id, coalesce(u.finished_at, u.updated_at), u.error_message, u.error_retryable
      from code c
     cross join lateral (
           select count(*) filter (where s.state = 3) as failed, count(*) filter (where s.state = 0) as trying, count(*) as seen,
                  (array_agg(s.id order by s.state = 3 desc, s.id desc) filter (where s.state in (0, 3)))[1] as newest
             from (select u.id, u.state from s3file.upload u
                    where u.error_code = c.error_code and u.error_code not in ('expired', 'form_refused')
                    order by u.id desc limit at_most) s) n
      join s3file.upload u on u.id = n.newest
     where n.failed + n.trying > 0
     order by c.error_code
$$;
comment on function s3file.failures is 'What goes wrong, grouped by its code: bounded in what it reads.';

-- The ids of uploads that have this error, the newest first.
create function s3file.with_error(error_code text, after uuid default null, at_most integer default 50) returns setof uuid
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
    select u.id from s3file.upload u
     where u.error_code = with_error.error_code and u.error_code not in ('expired', 'form_refused')
       and u.id < coalesce(with_error.after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
     order by u.id desc limit at_most
$$;

-- Queues again, of the next `at_most` uploads with this error behind `after`, those that have failed and whose tmp object is still there. How many
-- had failed, how many it took, and where to go on; `last_id` is null at the end. One that fails again meanwhile lies behind whoever goes on.
create function s3file.retry_failed(
    error_code text, after uuid default null, at_most integer default 500, out failed bigint, out retried bigint, out last_id uuid
) returns record
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    ids uuid[];
begin
    ids := array(
        select u.id from s3file.upload u
         where u.error_code = retry_failed.error_code and u.error_code not in ('expired', 'form_refused')
           and u.id > coalesce(retry_failed.after, '00000000-0000-0000-0000-000000000000')
         order by u.id limit at_most);
    last_id := case when cardinality(ids) = at_most then ids[at_most] end;
    with chosen as materialized (
        select u.id, u.tmp_deleted from s3file.upload u
         where u.id = any(ids) and u.state = 3 and u.error_code = retry_failed.error_code
         order by u.id for no key update),
    again as (
        update s3file.upload u
           set state = 0, finished_at = null, updated_at = now(), error_code = null, error_message = null, error_retryable = null
          from chosen c
         where u.id = c.id and u.state = 3 and not u.tmp_deleted and u.attempt < 32767
           and exists (select from s3file.queue q where q.name = u.queue)
        returning u.id, u.queue, u.priority, u.attempt, u.owner, u.bucket),
    noted as (
        insert into s3file.event (upload_ids, states, attempts)
        select array_agg(a.id), array_agg(0::smallint), array_agg(a.attempt) from again a having count(*) > 0),
    jobs as (
        insert into s3file.job (upload_id, queue, priority, run_at, attempt, max_attempts, fair, owner, bucket)
        select a.id, a.queue, a.priority, now(), a.attempt, least(a.attempt + 12, 32767), q.fair,
               case when q.fair then coalesce(a.owner, '') end, case when q.fair then a.bucket end
          from again a join s3file.queue q on q.name = a.queue
        returning 1)
    select (select count(*) from chosen), (select count(*) from jobs) into retry_failed.failed, retry_failed.retried;
end
$$;
comment on function s3file.retry_failed is 'Queue the failed uploads with one error again, a batch at a time.';

-- The buckets that uploads are stored in, or that workers have something to say of, and how workers get on with each.
create function s3file.bucket_reading(at_most integer default 64)
returns table (bucket text, refused_by bigint, refused_since timestamptz, code text, slowed_for bigint, request_limit bigint, request_most bigint)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
    with recursive named(bucket, place) as (
        select (select u.bucket::text from s3file.upload u where u.key is not null order by u.bucket limit 1), 1
        union all
        select (select u.bucket::text from s3file.upload u where u.bucket > named.bucket and u.key is not null order by u.bucket limit 1),
               named.place + 1
          from named where named.bucket is not null and named.place < at_most),
    told as (
        select b.bucket, b.code, b."limit", b.most,
               case when b."refusedSeconds" between 0 and 1e9 then w.seen_at - make_interval(secs => b."refusedSeconds") end as refused_since
          from (select o.seen_at, o.buckets from s3file.worker o
                 where o.expires_at > now() and jsonb_typeof(o.buckets) = 'array' order by o.id limit 1000) w
         cross join lateral jsonb_to_recordset(w.buckets)
                 as b(bucket text, "refusedSeconds" double precision, code text, "limit" integer, most integer)
         where b.bucket is not null),
    all_of_them as (select n.bucket from named n where n.bucket is not null union select t.bucket from told t)
    select a.bucket, count(t.refused_since), min(t.refused_since),
           (array_agg(t.code order by t.refused_since) filter (where t.refused_since is not null))[1],
           count(t."limit"), sum(t."limit")::bigint, sum(t.most)::bigint
      from all_of_them a left join told t on t.bucket = a.bucket
     group by a.bucket order by a.bucket limit at_most
$$;
comment on function s3file.bucket_reading is 'How workers get on with each bucket, as their last heartbeats told.';

-- Who works.
create function s3file.worker_reading(at_most integer default 200)
returns table (id bigint, host text, pid integer, version text, queues text[], draining boolean, slots integer, moving bigint,
               started_at timestamptz, seen_at timestamptz, expires_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
    select w.id, w.host, w.pid, w.version, w.queues, w.draining, w.slots,
           (select count(*) from (select from s3file.job j where j.worker = w.id limit 10000) m),
           w.started_at, w.seen_at, w.expires_at
      from s3file.worker w order by w.id limit at_most
$$;
comment on function s3file.worker_reading is 'The workers whose lease nobody took yet, and how many jobs each has.';

-- Where the bytes of an upload came from and went to; no tickets, and nothing that opens an object.
create function s3file.whereabouts(id uuid)
returns table (tmp_bucket text, tmp_key text, tmp_deleted boolean, etag text, version_id text, stored_etag text, stored_version_id text,
               traceparent text)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select u.tmp_bucket::text, u.tmp_key::text, u.tmp_deleted, u.etag::text, u.version_id::text, u.stored_etag, u.stored_version_id, u.traceparent
      from s3file.upload u where u.id = whereabouts.id
$$;

-- What happened to one upload, the oldest first. Events are found by their time alone, so of those since it was enqueued the first and the last
-- `look_through` / 2 are looked through; `is_whole` is false where that left some out.
create function s3file.timeline(
    id uuid, look_through integer default 4000,
    out event_ids bigint[], out ats timestamptz[], out statuses text[], out attempts smallint[], out workers bigint[], out is_whole boolean
) returns record
language plpgsql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
declare
    began    timestamptz;
    ended    timestamptz;
    first_id bigint;
    last_id  bigint;
begin
    select s.created_at, s.updated_at into began, ended from s3file.upload_status s where s.id = timeline.id;
    -- Between a transaction's beginning, whose time an event bears, and its id.
    first_id := s3file.first_event(began - interval '10 seconds');
    last_id := s3file.first_event(ended + interval '10 seconds');
    with early as materialized (
        select e.id from s3file.event e where e.id >= first_id and e.id <= last_id order by e.id limit look_through / 2),
    late as materialized (
        select e.id from s3file.event e where e.id <= last_id and e.id > (select max(l.id) from early l) order by e.id desc limit look_through / 2),
    looked as (select l.id from early l union all select l.id from late l),
    found as (
        select e.id, e.at, e.worker, e.states[p.place] as state, e.attempts[p.place] as attempt
          from looked l join s3file.event e on e.id = l.id
         cross join lateral (select array_position(e.upload_ids, timeline.id) as place) p
         where p.place is not null)
    select array_agg(f.id order by f.id), array_agg(f.at order by f.id),
           array_agg((array['queued', 'moving', 'stored', 'failed', 'cancelled', 'expired'])[f.state + 1] order by f.id),
           array_agg(f.attempt order by f.id), array_agg(f.worker order by f.id),
           (select count(*) from late) < look_through / 2
      into event_ids, ats, statuses, attempts, workers, is_whole
      from found f;
    is_whole := coalesce(is_whole, true);
end
$$;
comment on function s3file.timeline is 'What happened to one upload, while its events are kept: bounded in what it reads.';

-- Uploads by what somebody has in hand: a key or a tmp key, or how it begins, or the name of an owner. By indexes only; in the first 64 buckets.
create function s3file.search(what text, at_most integer default 50) returns table (id uuid, found_by text)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
    with recursive of_files(bucket, place) as (
        select (select u.bucket::text from s3file.upload u order by u.bucket limit 1), 1
        union all
        select (select u.bucket::text from s3file.upload u where u.bucket > of_files.bucket order by u.bucket limit 1), of_files.place + 1
          from of_files where of_files.bucket is not null and of_files.place < 64),
    of_tmp(bucket, place) as (
        select (select u.tmp_bucket::text from s3file.upload u order by u.tmp_bucket limit 1), 1
        union all
        select (select u.tmp_bucket::text from s3file.upload u where u.tmp_bucket > of_tmp.bucket order by u.tmp_bucket limit 1), of_tmp.place + 1
          from of_tmp where of_tmp.bucket is not null and of_tmp.place < 64)
    select f.id, f.found_by
      from ((select k.id, 'key' as found_by
               from of_files b cross join lateral (
                    select u.id from s3file.upload u
                     where u.bucket = b.bucket and u.key >= search.what and u.key < search.what || chr(1114111)
                     order by u.key limit at_most) k
              limit at_most)
            union all
            (select k.id, 'tmp_key'
               from of_tmp b cross join lateral (
                    select u.id from s3file.upload u
                     where u.tmp_bucket = b.bucket and u.tmp_key >= search.what and u.tmp_key < search.what || chr(1114111)
                     order by u.tmp_key limit at_most) k
              limit at_most)
            union all
            (select u.id, 'owner' from s3file.upload u where u.owner = search.what order by u.created_at desc limit at_most)) f
     limit at_most
$$;
comment on function s3file.search is 'Uploads by a key, a tmp key, how one begins, or by owner.';

create or replace function s3file.grant_roles() returns void
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    if exists (select from pg_roles where rolname = 's3file_web') then
        grant usage on schema s3file to s3file_web;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue to s3file_web;
        grant execute on function s3file.enqueue, s3file.enqueue_many, s3file.release, s3file.cancel_held, s3file.cancel,
            s3file.retry, s3file.promise, s3file.store_as, s3file.uuid_v7, s3file.queue_reading, s3file.upkeep_reading,
            s3file.page, s3file.queue_stats,
            s3file.rates, s3file.failures, s3file.with_error, s3file.bucket_reading, s3file.worker_reading, s3file.whereabouts,
            s3file.timeline, s3file.search to s3file_web;
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
            s3file.queue_reading, s3file.upkeep_reading,
            s3file.page, s3file.queue_stats to s3file_worker;
    end if;
    if exists (select from pg_roles where rolname = 's3file_operator') then
        grant usage on schema s3file to s3file_operator;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue, s3file.worker to s3file_operator;
        grant execute on function s3file.page, s3file.queue_stats, s3file.set_queue, s3file.cancel, s3file.retry,
            s3file.queue_reading, s3file.upkeep_reading,
            s3file.rates, s3file.failures, s3file.with_error, s3file.retry_failed, s3file.bucket_reading, s3file.worker_reading,
            s3file.whereabouts, s3file.timeline, s3file.search to s3file_operator;
    end if;
end
$$;
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
