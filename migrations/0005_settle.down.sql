-- Takes the second half of the workers' functions back. Stop the workers before: they fail from now on, and lose nothing.

drop function
    s3file.settle,
    s3file.progress,
    s3file.put_back,
    s3file.give_back_others,
    s3file.reap,
    s3file.tmp_left,
    s3file.tmp_deleted,
    s3file.expire,
    s3file.prune,
    s3file.prune_events;

-- As 0003 made it.
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
    end if;
end
$$;
select s3file.grant_roles();
