-- As before, but that a comparison which comes late harms nobody. It may be on its way in the network while its worker, which took it for lost, has
-- made another and has claimed since: then what it puts back is being moved, under a lease that is certain. What was claimed after the moment that it
-- was made for is left to the next one.
drop function s3file.give_back_others;

create function s3file.give_back_others(worker bigint, in_flight uuid[], as_of timestamptz default null) returns bigint
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select s3file.put_back(array(
        select j.upload_id from s3file.job j
         where j.worker = give_back_others.worker and j.upload_id <> all(give_back_others.in_flight)
           and (give_back_others.as_of is null or j.started_at <= give_back_others.as_of)
           for no key update skip locked), false)
$$;
comment on function s3file.give_back_others is
    'Put back what a worker holds by the record and has not in flight; of what it claimed until as_of. Workers of the version before give none.';
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
