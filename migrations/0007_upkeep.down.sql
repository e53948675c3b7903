-- Back to sweeps that note nothing; records and objects are compared by nobody.

drop function s3file.begin_sweep, s3file.keep_sweep, s3file.end_sweep, s3file.expirable, s3file.compared_by_key, s3file.compared_by_tmp_key,
    s3file.compared_again, s3file.other_buckets, s3file.stuck_jobs, s3file.store_again, s3file.take_up, s3file.forget_stored,
    s3file.bury_copy, s3file.mend_jobs;
drop view s3file.compared;
drop table s3file.sweep;

-- As 0005 made it.
create or replace function s3file.expire(tmp_bucket text, keys text[], sizes bigint[], etags text[], failed_life interval) returns setof text
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

-- As 0006 made it.
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
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue, s3file.worker to s3file_worker;
        grant execute on function s3file.register, s3file.beat, s3file.unregister, s3file.take_turn, s3file.claim, s3file.settle,
            s3file.progress, s3file.give_back_others, s3file.reap, s3file.tmp_left, s3file.tmp_deleted, s3file.expire, s3file.prune,
            s3file.prune_events, s3file.plan_move, s3file.move_plan, s3file.abandoned_moves, s3file.forget_moves,
            s3file.stray_multipart_uploads to s3file_worker;
    end if;
end
$$;
