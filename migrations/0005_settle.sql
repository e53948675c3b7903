-- What workers do, the second half: settle, take back, and keep house. As in the first half, each is one function and one round trip, and what
-- runs all day may be planned by its indexes only.

-- Settles many attempts, each fenced by upload, attempt and worker. outcomes: stored, retry (after delay seconds, or the queue's own
-- backoff), failed, parked (the store refuses this worker: waits, and costs no attempt), given_back (costs none either).
--
-- Returns those for which it took effect, with their state, and for stored ones the number under which their tmp object waits to be deleted.
-- The others belong to another attempt by now: whoever holds them decides.
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

-- Notes how far a long copy is. Fenced like a settle, and allowed to be lost.
create function s3file.progress(worker bigint, upload_id uuid, attempt smallint, copied bigint) returns void
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    update s3file.upload u set copied = progress.copied, updated_at = now()
      from s3file.job j
     where u.id = progress.upload_id and j.upload_id = u.id and j.attempt = progress.attempt and j.worker = progress.worker
$$;

-- Takes the jobs that match out of the hands of their worker. Used up attempts end as failed, also when no worker ever lived to say so.
create function s3file.put_back(upload_ids uuid[], worker_lost boolean) returns bigint
language sql volatile
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
    with ended as (
        delete from s3file.job j
         where j.upload_id = any(put_back.upload_ids)
           and (j.cancel_requested or j.attempt = 32767 or (worker_lost and j.attempt >= j.max_attempts))
        returning j.upload_id, j.attempt, j.max_attempts, (case when j.cancel_requested then 4 else 3 end)::smallint as state),
    again as (
        update s3file.job j
           set worker = null, started_at = null,
               max_attempts = case when worker_lost then j.max_attempts else least(j.max_attempts + 1, 32767) end,
               -- Once is an accident, and the next worker takes it at once; what kills one worker after the other had better wait.
               run_at = now() + case when worker_lost and j.attempt > 1 then least(power(j.attempt, 4), 3600) else 0 end
                              * (0.9 + 0.2 * random()) * interval '1 second'
         where j.upload_id = any(put_back.upload_ids)
           and not (j.cancel_requested or j.attempt = 32767 or (worker_lost and j.attempt >= j.max_attempts))
        returning j.upload_id, j.attempt, j.max_attempts, 0::smallint as state),
    recorded as (
        update s3file.upload u
           set state = s.state, attempt = s.attempt, max_attempts = s.max_attempts, updated_at = now(),
               finished_at = case when s.state > 0 then now() end,
               error_code = case when worker_lost then 'worker_lost' else u.error_code end,
               error_message = case when worker_lost then 'The worker that copied this file died.' else u.error_message end,
               error_retryable = case when worker_lost then true else u.error_retryable end
          from (select * from ended union all select * from again) s
         where u.id = s.upload_id
        returning u.id, u.state, u.attempt),
    noted as (
        insert into s3file.event (upload_ids, states, attempts)
        select array_agg(r.id), array_agg(r.state), array_agg(r.attempt) from recorded r having count(*) > 0)
    select count(*) from recorded
$$;

-- Puts back what a worker holds by the record and does not know of: the reply to its claim, or to a settle, was lost.
create function s3file.give_back_others(worker bigint, in_flight uuid[]) returns bigint
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select s3file.put_back(array(
        select j.upload_id from s3file.job j
         where j.worker = give_back_others.worker and j.upload_id <> all(give_back_others.in_flight)
           for no key update), false)
$$;

-- Ends the leases that ran out more than `slack` ago, and takes the jobs of dead workers back, at most 500 at a time.
--
-- Whoever calls it should have had the database for a whole lease: when it was away for all, all must be given the time to beat again.
create function s3file.reap(slack interval, lease interval) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    strays uuid[];
begin
    -- A server that has just started was away for everybody.
    if now() < pg_postmaster_start_time() + reap.lease then
        return 0;
    end if;
    -- A heartbeat or a claim under way holds the row; it is found again next time.
    delete from s3file.worker w
     where w.id in (select d.id from s3file.worker d where d.expires_at < now() - reap.slack for update skip locked);
    -- Jobs that an open transaction enqueued while their queue was made fair, or ordinary again.
    strays := array(select one.upload_id from s3file.queue q cross join lateral (
                        select j.upload_id from s3file.job j
                         where q.fair and j.queue = q.name and j.worker is null and not j.fair limit 500) one)
           || array(select one.upload_id from s3file.queue q cross join lateral (
                        select j.upload_id from s3file.job j
                         where not q.fair and j.queue = q.name and j.worker is null and j.fair limit 500) one);
    update s3file.job j
       set fair = q.fair, owner = case when q.fair then coalesce(u.owner, '') end, bucket = case when q.fair then u.bucket end
      from s3file.upload u, s3file.queue q
     where j.upload_id = any(strays) and u.id = j.upload_id and q.name = j.queue and j.fair <> q.fair;
    -- From the jobs, not from the rows just deleted: a job whose worker ended by itself, or that was locked before, is found as well.
    return s3file.put_back(array(
        select j.upload_id from s3file.job j
         where j.worker is not null and not exists (select from s3file.worker w where w.id = j.worker)
         limit 500 for no key update skip locked), true);
end
$$;
comment on function s3file.reap is 'Take the jobs of dead workers back into the queue.';

-- Tmp objects of stored uploads that nobody deleted, the oldest batches first.
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

-- Notes that tmp objects are gone; the batch goes with its last one.
create function s3file.tmp_deleted(batches bigint[], upload_ids uuid[]) returns void
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    with done as (
        delete from s3file.tmp_deletion d where d.id = any(tmp_deleted.batches) and d.upload_ids <@ tmp_deleted.upload_ids)
    update s3file.tmp_deletion d
       set upload_ids = array(select one.id from unnest(d.upload_ids) as one(id) where one.id <> all(tmp_deleted.upload_ids))
     where d.id = any(tmp_deleted.batches) and d.upload_ids && tmp_deleted.upload_ids and not d.upload_ids <@ tmp_deleted.upload_ids
$$;

-- Marks old tmp objects as expired before they are deleted, and tells which may be.
--
-- A key that no upload ever claimed gets a row in status expired, so that a late form gets a clear answer instead of a lost file; the unique
-- key decides the race between the two. Keys of queued and moving uploads are left alone, those of failed ones for `failed_life`, in which
-- somebody may mend what was wrong; and stored files, wherever they lie.
create function s3file.expire(tmp_bucket text, keys text[], sizes bigint[], etags text[], failed_life interval) returns setof text
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    with stale as materialized (
        select distinct on (t.key) t.* from unnest(expire.keys, expire.sizes, expire.etags) as t(key, size, etag)),
    marked as (
        insert into s3file.upload as u
            (id, state, filename, content_type, size, tmp_bucket, tmp_key, etag, tmp_deleted, bucket, finished_at,
             error_code, error_message, error_retryable)
        select s3file.uuid_v7(), 5, left(regexp_replace(t.key, '^.*/', ''), 255), 'application/octet-stream', t.size, expire.tmp_bucket, t.key,
               t.etag, true, expire.tmp_bucket, now(), 'expired', 'No form claimed this file in time, and it was removed.', false
          from stale t
         where not exists (select from s3file.upload d where d.bucket = expire.tmp_bucket and d.key = t.key)
         order by t.key
        on conflict (tmp_bucket, tmp_key) do update set tmp_deleted = true
         where u.state <> 0 and not (u.state = 3 and u.finished_at > now() - expire.failed_life)
        returning u.tmp_key)
    select m.tmp_key from marked m
$$;

-- Forgets ended uploads, the oldest first: of the `at_most` after the id `after`, those that are old enough for their end. A null age keeps
-- for ever. Returns the id to go on after, null at the end of what can be that old, and how many went.
create function s3file.prune(
    stored_age interval, unstored_age interval, after uuid, at_most integer, out next_after uuid, out pruned bigint
) returns record
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    youngest uuid;
    ids      uuid[];
    waiting  uuid[];
begin
    -- Ids are ordered by time: no upload begun after this moment can be old enough.
    youngest := encode(substring(int8send((extract(epoch from now() - least(stored_age, unstored_age)) * 1000)::bigint) from 3)
                       || '\x70008000000000000000'::bytea, 'hex')::uuid;
    ids := array(select u.id from s3file.upload u where u.id > coalesce(prune.after, '00000000-0000-0000-0000-000000000000') and u.id < youngest
                  order by u.id limit at_most);
    next_after := case when cardinality(ids) = at_most then ids[at_most] end;
    waiting := array(select w.id from s3file.tmp_deletion d cross join unnest(d.upload_ids) as w(id) where w.id = any(ids));
    delete from s3file.upload u
     where u.id = any(ids)
       and ((u.state = 2 and u.finished_at < now() - stored_age
             and u.id <> all(waiting))
         or (u.state in (3, 4, 5) and u.finished_at < now() - unstored_age));
    get diagnostics pruned = row_count;
end
$$;
comment on function s3file.prune is 'Delete the records of ended uploads, a batch at a time.';

create function s3file.prune_events(age interval, at_most integer) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    pruned bigint;
begin
    delete from s3file.event e
     where e.id in (select o.id from (select f.id, f.at from s3file.event f order by f.id limit at_most) o where o.at < now() - age);
    get diagnostics pruned = row_count;
    return pruned;
end
$$;

-- Gives both roles what they need, and no more. Repeatable, for whoever had to create a role after the migration.
create function s3file.grant_roles() returns void
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
