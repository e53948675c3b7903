-- What those who run this ask and do by hand: lists that look through a bounded part of the record at a time, how the queues are, and a role
-- that may do it. Nothing here is for the way of an upload.

do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 's3file_operator') then
        create role s3file_operator nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
        raise notice 'Role s3file_operator was not made: % may not create roles. Let an administrator create it, then grant it by s3file.grant_roles().',
            current_user;
end
$$;

-- The first id of a moment. Ids are made a little before their row, and by other machines' clocks.
create function s3file.first_id(at timestamptz) returns uuid
language sql immutable
set search_path = pg_catalog, s3file, pg_temp
as $$
    select encode(substring(int8send((extract(epoch from greatest(first_id.at, 'epoch')) * 1000)::bigint) from 3)
                  || '\x70008000000000000000'::bytea, 'hex')::uuid
$$;

-- A page of the uploads that fit, the newest first. It looks through so many of the record at most, and tells where it ended: a list of what is
-- rare among many millions takes many short statements, and none that is long. `last_id` is null when there are no more.
--
-- Queued and moving ones are found by the queue, and an owner's by the owner; all others by going through the record. With an age, ids that were
-- made more than a day away from their row's making are passed over.
create function s3file.page(
    statuses text[] default null, queue text default null, owner text default null, bucket text default null, error_code text default null,
    created_from timestamptz default null, created_until timestamptz default null, after uuid default null,
    at_most integer default 100, look_through integer default 20000, out ids uuid[], out last_id uuid
) returns record
language plpgsql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    candidates uuid[];
    from_at    timestamptz := 'infinity';
    newest     uuid := coalesce(page.after, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    oldest     uuid := '00000000-0000-0000-0000-000000000000';
    until_id   uuid;
begin
    if created_from is not null then
        oldest := s3file.first_id(created_from - interval '1 day');
    end if;
    if created_until is not null then
        newest := least(newest, s3file.first_id(created_until + interval '1 day'));
    end if;
    if page.owner is null and not coalesce(page.statuses <@ array['queued', 'moving'], false) then
        -- To where the look through the record ends.
        until_id := (select u.id from s3file.upload u where u.id < newest and u.id >= oldest order by u.id desc offset look_through - 1 limit 1);
        ids := array(
            select s.id from s3file.upload_status s
             where s.id < newest and s.id >= coalesce(until_id, oldest)
               and (page.statuses is null or s.status = any(page.statuses))
               and (page.queue is null or s.queue = page.queue)
               and (page.bucket is null or s.bucket = page.bucket)
               and (page.error_code is null or s.error_code = page.error_code)
               and (page.created_from is null or s.created_at >= page.created_from)
               and (page.created_until is null or s.created_at < page.created_until)
             order by s.id desc limit at_most);
        last_id := case when cardinality(ids) = at_most then ids[at_most] else until_id end;
        return;
    end if;
    if page.owner is not null then
        if after is not null then
            select u.created_at into from_at from s3file.upload u where u.id = page.after;
        end if;
        candidates := array(
            select u.id from s3file.upload u
             where u.owner = page.owner and u.created_at <= from_at
               and (u.created_at, u.id) < (from_at, coalesce(page.after, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
             order by u.created_at desc, u.id desc limit look_through);
    else
        candidates := array(
            select j.upload_id from s3file.job j
             where j.upload_id < newest and j.upload_id >= oldest order by j.upload_id desc limit look_through);
    end if;
    ids := array(
        select s.id
          from unnest(candidates) with ordinality as c(id, place) join s3file.upload_status s on s.id = c.id
         where (page.statuses is null or s.status = any(page.statuses))
           and (page.queue is null or s.queue = page.queue)
           and (page.bucket is null or s.bucket = page.bucket)
           and (page.error_code is null or s.error_code = page.error_code)
           and (page.created_from is null or s.created_at >= page.created_from)
           and (page.created_until is null or s.created_at < page.created_until)
         order by c.place limit at_most);
    last_id := case when cardinality(ids) = at_most then ids[at_most]
                    when cardinality(candidates) = look_through then candidates[look_through] end;
end
$$;
comment on function s3file.page is 'The ids of uploads that fit, the newest first, a bounded look at a time.';

-- How the queues are, from the first `count_to` jobs that wait in each.
create function s3file.queue_stats(count_to integer default 1000000)
returns table (name text, paused boolean, fair boolean, max_in_flight integer, max_in_flight_per_owner integer, max_in_flight_per_bucket integer,
               due bigint, later bigint, moving bigint, is_whole boolean, oldest_due_at timestamptz, workers bigint)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
    select q.name, q.paused, q.fair, q.max_in_flight, q.max_in_flight_per_owner, q.max_in_flight_per_bucket,
           coalesce(w.due, 0), coalesce(w.later, 0),
           (select count(*) from s3file.job j where j.worker is not null and j.queue = q.name),
           coalesce(w.number, 0) < count_to, w.oldest_due_at,
           (select count(*) from s3file.worker l where l.expires_at > now() and (l.queues is null or q.name = any(l.queues)))
      from s3file.queue q
      left join lateral (
           select count(*) as number, count(*) filter (where s.run_at <= now()) as due, count(*) filter (where s.run_at > now()) as later,
                  min(s.run_at) filter (where s.run_at <= now()) as oldest_due_at
             from (select * from (select j.run_at from s3file.job j where j.queue = q.name and j.worker is null and not j.fair limit count_to) o
                   union all
                   select * from (select j.run_at from s3file.job j where j.queue = q.name and j.worker is null and j.fair limit count_to) f
                   limit count_to) s) w on true
     order by q.name
$$;
comment on function s3file.queue_stats is 'How many jobs of each queue are due, wait for later and move, and since when the oldest is due.';

-- An operator is not the tables' owner.
alter function s3file.set_queue(text, boolean, boolean, integer, integer, integer) security definer;

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
            s3file.page, s3file.queue_stats to s3file_web;
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
        grant execute on function s3file.page, s3file.queue_stats, s3file.set_queue, s3file.cancel, s3file.retry to s3file_operator;
    end if;
end
$$;
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
