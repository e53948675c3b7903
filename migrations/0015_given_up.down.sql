drop function s3file.given_up;

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
