drop function s3file.given_up;

create or replace function s3file.expire(tmp_bucket text, keys text[], sizes bigint[], etags text[], failed_life interval) returns setof text
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set lock_timeout = '500ms'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
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
         -- With an offset it stays a look at one key after the other: as a join it would compare each with all that the bucket has.
         where not exists (select from s3file.upload d where d.bucket = expire.tmp_bucket and d.key = t.key offset 0)
         order by t.key
        on conflict (tmp_bucket, tmp_key) do update set tmp_deleted = true
         where u.state <> 0 and not (u.state = 3 and u.finished_at > now() - expire.failed_life)
        returning u.tmp_key)
    select m.tmp_key from marked m
$$;

create or replace function s3file.expirable(tmp_bucket text, keys text[], failed_life interval) returns setof text
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
    select distinct t.key from unnest(expirable.keys) as t(key)
     where not exists (select from s3file.upload d where d.bucket = expirable.tmp_bucket and d.key = t.key offset 0)
       and not exists (select from s3file.upload u
                        where u.tmp_bucket = expirable.tmp_bucket and u.tmp_key = t.key
                          and (u.state = 0 or u.state = 3 and u.finished_at > now() - expirable.failed_life) offset 0)
$$;

create or replace function s3file.prune(
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
