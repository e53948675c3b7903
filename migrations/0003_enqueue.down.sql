-- Takes the web side's functions back.

drop trigger queue_in_use on s3file.queue;
drop function
    s3file.queue_in_use,
    s3file.enqueue,
    s3file.enqueue_many,
    s3file.queue_again,
    s3file.release,
    s3file.cancel_held,
    s3file.cancel,
    s3file.retry,
    s3file.promise,
    s3file.set_queue;

-- As 0001 made them.
create or replace function s3file.alternative_key(key text) returns text
language sql volatile
set search_path = pg_catalog
as $$
    select coalesce(m[1], alternative_key.key)
        || '_' || substr(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/=', 'xyz'), 1, 7)
        || coalesce(m[2], '')
      from (select regexp_match(alternative_key.key, '^(.*[^/])(\.[^./]+)$') as m) as parts
$$;

create or replace function s3file.uuid_v7() returns uuid
language sql volatile parallel safe
set search_path = pg_catalog
as $$
    select encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                    from 1 for 6),
            52, 1), 53, 1), 'hex')::uuid
$$;

do $$
declare
    role_name text;
begin
    foreach role_name in array array['s3file_web', 's3file_worker'] loop
        continue when not exists (select from pg_catalog.pg_roles where rolname = role_name);
        execute format('revoke all on all tables in schema s3file from %I', role_name);
        execute format('revoke all on all functions in schema s3file from %I', role_name);
        execute format('revoke usage on schema s3file from %I', role_name);
    end loop;
end
$$;

-- In version 1 everybody may call what there is.
grant execute on all functions in schema s3file to public;
