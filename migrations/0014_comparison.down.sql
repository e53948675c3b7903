drop function s3file.give_back_others;

create function s3file.give_back_others(worker bigint, in_flight uuid[]) returns bigint
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select s3file.put_back(array(
        select j.upload_id from s3file.job j
         where j.worker = give_back_others.worker and j.upload_id <> all(give_back_others.in_flight)
           for no key update skip locked), false)
$$;
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
