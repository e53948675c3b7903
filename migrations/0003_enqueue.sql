-- What the web side does: enqueue, hold and release, cancel, look up. All of it runs with the rights of the tables' owner, so that the role
-- s3file_web needs none of its own on them.

-- A time-ordered UUID (RFC 9562, version 7): 48 bits of Unix milliseconds, then random bits. Names its schemas itself and sets nothing, so
-- that Postgres can write it into the calling statement; as a function of its own it would be planned anew at each call.
create or replace function s3file.uuid_v7() returns uuid
language sql volatile parallel safe
as $$
    select pg_catalog.encode(
        pg_catalog.set_bit(pg_catalog.set_bit(
            pg_catalog.overlay(
                pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
                pg_catalog.substring(
                    pg_catalog.int8send((extract(epoch from pg_catalog.clock_timestamp()) operator(pg_catalog.*) 1000)::bigint), 3),
                1, 6),
            52, 1), 53, 1), 'hex')::uuid
$$;
alter function s3file.uuid_v7() reset all;

-- The same key with a suffix of `_` and 7 random characters before its extension, as Django names a file whose name is taken; cut before the
-- suffix where it would grow beyond 1,024 bytes.
create or replace function s3file.alternative_key(key text) returns text
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
as $$
declare
    parts  text[] := regexp_match(alternative_key.key, '^(.*[^/])(\.[^./]+)$');
    stem   text := coalesce(parts[1], alternative_key.key);
    ending text := coalesce(parts[2], '');
begin
    ending := '_' || substr(translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/=', 'xyz'), 1, 7) || ending;
    while octet_length(stem) + octet_length(ending) > 1024 and length(stem) > 1 loop
        stem := left(stem, -1);
    end loop;
    return stem || ending;
end
$$;

-- Enqueue one verified upload, in the caller's own transaction: it is moved if and only if that commits.
--
--   select * from s3file.enqueue(
--       bucket => 'media', tmp_key => 'tmp/s3file/Zk…/x.pdf', etag => '"9e10…"', size => 123, key => 'reports/x.pdf',
--       content_type => 'application/pdf', filename => 'x.pdf', owner => 'user-42');
--
-- Safe to repeat: the tmp key is the idempotency key. A cancelled or failed upload whose tmp object is still there is queued again.
-- If the wished key is taken, a suffix is added: read the final one from the result.
--
-- Refused with an error, so that a transaction of many is all or none: insufficient_privilege (42501), claimed by another owner;
-- SF409, other bytes lie under this tmp key by now; SF410, the tmp object was removed; foreign_key_violation (23503), no such queue.
create function s3file.enqueue(
    bucket text, tmp_key text, etag text, size bigint, key text,
    content_type text default 'application/octet-stream', filename text default null,
    field text default '', owner text default null,
    upload_id uuid default null, version_id text default null, tmp_bucket text default null,
    run_at timestamptz default null, metadata jsonb default '{}',
    queue text default 'default', priority smallint default 0, max_attempts smallint default 12,
    out id uuid, out final_key text, out status text, out is_new boolean
) returns record
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
declare
    wished   text := enqueue.key;
    from_    text := coalesce(enqueue.tmp_bucket, enqueue.bucket);
    name     text := coalesce(enqueue.filename, regexp_replace(enqueue.key, '^.*/', ''));
    due      timestamptz := coalesce(enqueue.run_at, now());
    existing s3file.upload;
begin
    if wished is null then
        raise exception 's3file.enqueue: key is null'
            using errcode = 'not_null_violation', column = 'key', hint = 'Name the key that the file shall be stored under.';
    end if;
    if get_byte(uuid_send(upload_id), 6) >> 4 <> 7 then
        raise exception 's3file.enqueue: upload_id is not a UUID of version 7, and old uploads are found by its time'
            using errcode = 'check_violation', column = 'upload_id', hint = 'Leave it out, or make it by s3file.uuid_v7().';
    end if;
    if not isfinite(due) then
        raise exception 's3file.enqueue: run_at is infinite'
            using errcode = 'check_violation', column = 'run_at', hint = 'Leave it out, or name a time.';
    end if;
    if from_ = enqueue.bucket and enqueue.tmp_key = enqueue.key then
        raise exception 's3file.enqueue: key is the tmp key, which is deleted when the file is stored'
            using errcode = 'check_violation', column = 'key', hint = 'Name another key.';
    end if;
    for round in 1..20 loop
        insert into s3file.upload as u
            (id, field, owner, filename, content_type, size, tmp_bucket, tmp_key, etag, version_id, bucket, key, metadata,
             queue, priority, max_attempts)
        values
            (coalesce(upload_id, s3file.uuid_v7()), enqueue.field, enqueue.owner, name, enqueue.content_type, enqueue.size,
             from_, enqueue.tmp_key, enqueue.etag, enqueue.version_id, enqueue.bucket, wished, enqueue.metadata,
             enqueue.queue, enqueue.priority, enqueue.max_attempts)
        on conflict do nothing
        returning u.id, u.key into enqueue.id, final_key;
        if found then
            insert into s3file.job (upload_id, queue, priority, run_at, max_attempts, fair, owner, bucket)
            select enqueue.id, q.name, enqueue.priority, due, enqueue.max_attempts, q.fair,
                   case when q.fair then coalesce(enqueue.owner, '') end, case when q.fair then enqueue.bucket end
              from s3file.queue q where q.name = enqueue.queue;
            if not found then
                raise exception 's3file.enqueue: queue: none has the name that was given'
                    using errcode = 'foreign_key_violation', column = 'queue', hint = 'Create it by s3file.set_queue(), or correct the name.';
            end if;
            status := 'queued';
            is_new := true;
            return;
        end if;

        -- One that lives is only looked at: a stronger lock would make its worker's settle wait for this transaction.
        select * into existing from s3file.upload u
         where u.tmp_bucket = from_ and u.tmp_key = enqueue.tmp_key for key share;
        if found and existing.state in (3, 4) then
            select * into existing from s3file.upload u where u.id = existing.id for no key update;
        end if;
        if found then
            -- An expired tmp object has no owner: whoever comes too late is told so.
            if existing.state <> 5 and existing.owner is distinct from enqueue.owner then
                raise exception 's3file.enqueue: this tmp key was claimed by another owner'
                    using errcode = 'insufficient_privilege', column = 'tmp_key', hint = 'Upload the file again.';
            end if;
            if existing.state = 5 or (existing.state in (3, 4) and existing.tmp_deleted) then
                raise exception 's3file.enqueue: this tmp object waited too long and was removed'
                    using errcode = 'SF410', column = 'tmp_key', hint = 'Upload the file again.';
            end if;
            is_new := false;
            if existing.state in (3, 4) then
                update s3file.upload u
                   set etag = enqueue.etag, version_id = enqueue.version_id, size = enqueue.size, filename = name,
                       content_type = enqueue.content_type, queue = enqueue.queue, priority = enqueue.priority
                 where u.id = existing.id;
                if not s3file.queue_again(existing.id, due) then
                    raise exception 's3file.enqueue: queue: none has the name that was given, or its attempts are used up for good'
                        using errcode = 'foreign_key_violation', column = 'queue',
                              hint = 'Create it by s3file.set_queue(), or correct the name.';
                end if;
            elsif btrim(existing.etag, '"') <> btrim(enqueue.etag, '"') then
                raise exception 's3file.enqueue: other bytes lie under this tmp key than those that were enqueued before'
                    using errcode = 'SF409', column = 'tmp_key', hint = 'Upload the file again, under a key of its own.';
            elsif existing.state = 0 then
                -- Whoever does not hold it has it moved, though an earlier post of the form holds it still.
                update s3file.job j set run_at = due
                 where j.upload_id = existing.id and j.worker is null and j.run_at > due and existing.error_code is null;
            end if;
            enqueue.id := existing.id;
            final_key := existing.key;
            select s.status into enqueue.status from s3file.upload_status s where s.id = existing.id;
            return;
        end if;
        if exists (select from s3file.upload u where u.id = enqueue.upload_id) then
            raise exception 's3file.enqueue: upload_id belongs to another upload'
                using errcode = 'unique_violation', column = 'upload_id', hint = 'Leave it out: the tmp key makes a repetition safe.';
        end if;

        -- Not the tmp key, so the destination is taken.
        wished := s3file.alternative_key(enqueue.key);
    end loop;
    raise exception 's3file.enqueue: no free key was found near the wished one' using errcode = 'unique_violation', column = 'key';
end
$$;
comment on function s3file.enqueue is 'Enqueue a verified upload in the caller''s transaction; idempotent on the tmp key.';

-- Enqueue many, as s3file.enqueue() does one, in one statement: element i of each array is upload i. All or none.
create function s3file.enqueue_many(
    buckets text[], tmp_keys text[], etags text[], sizes bigint[], keys text[],
    content_types text[], filenames text[], fields text[], owners text[],
    upload_ids uuid[] default null, version_ids text[] default null, tmp_buckets text[] default null,
    run_at timestamptz default null, metadata jsonb[] default null,
    queue text default 'default', priority smallint default 0, max_attempts smallint default 12
) returns table (place bigint, id uuid, final_key text, status text, is_new boolean)
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
#variable_conflict use_column
declare
    is_fair boolean;
    due     timestamptz := coalesce(enqueue_many.run_at, now());
    ids     uuid[];
    one     record;
begin
    if cardinality(buckets) <> any(array[cardinality(tmp_keys), cardinality(etags), cardinality(sizes), cardinality(keys),
            cardinality(content_types), cardinality(filenames), cardinality(fields), cardinality(owners),
            coalesce(cardinality(upload_ids), cardinality(buckets)), coalesce(cardinality(version_ids), cardinality(buckets)),
            coalesce(cardinality(tmp_buckets), cardinality(buckets)), coalesce(cardinality(metadata), cardinality(buckets))]) then
        raise exception 's3file.enqueue_many: the arrays are not of one length'
            using errcode = 'invalid_parameter_value', hint = 'Element i of each array belongs to upload i.';
    end if;
    select q.fair into is_fair from s3file.queue q where q.name = enqueue_many.queue;
    if not found then
        raise exception 's3file.enqueue_many: queue: none has the name that was given'
            using errcode = 'foreign_key_violation', column = 'queue', hint = 'Create it by s3file.set_queue(), or correct the name.';
    end if;
    if exists (select from unnest(upload_ids) as given(id) where get_byte(uuid_send(given.id), 6) >> 4 <> 7) then
        raise exception 's3file.enqueue_many: upload_ids: one is not a UUID of version 7, and old uploads are found by its time'
            using errcode = 'check_violation', column = 'upload_id', hint = 'Leave it out, or make it by s3file.uuid_v7().';
    end if;
    if not isfinite(due) then
        raise exception 's3file.enqueue_many: run_at is infinite'
            using errcode = 'check_violation', column = 'run_at', hint = 'Leave it out, or name a time.';
    end if;
    if exists (select from unnest(buckets, coalesce(tmp_buckets, buckets), tmp_keys, keys) as g(bucket, tmp_bucket, tmp_key, key)
                where g.bucket = g.tmp_bucket and g.tmp_key = g.key) then
        raise exception 's3file.enqueue_many: keys: one is its tmp key, which is deleted when the file is stored'
            using errcode = 'check_violation', column = 'key', hint = 'Name another key.';
    end if;
    select array_agg(coalesce(g.id, s3file.uuid_v7()) order by g.place) into ids
      from unnest(buckets, upload_ids) with ordinality as g(bucket, id, place);

    -- In the order of their keys: two calls that wish for the same keys wait for one another in one order, and not for ever. Most of the time
    -- none was posted before and no key is taken; asking every index of every row first, as `on conflict` does, would double the work.
    begin
        insert into s3file.upload
            (id, field, owner, filename, content_type, size, tmp_bucket, tmp_key, etag, version_id, bucket, key, metadata,
             queue, priority, max_attempts)
        select w.id, coalesce(w.field, ''), w.owner, coalesce(w.filename, regexp_replace(w.key, '^.*/', '')),
               coalesce(w.content_type, 'application/octet-stream'), w.size, w.tmp_bucket, w.tmp_key, w.etag, w.version_id,
               w.bucket, w.key, coalesce(w.metadata, '{}'), enqueue_many.queue, enqueue_many.priority, enqueue_many.max_attempts
          from unnest(ids, buckets, coalesce(tmp_buckets, buckets), tmp_keys, etags, version_ids, sizes, keys, content_types,
                      filenames, fields, owners, metadata) with ordinality
            as w(id, bucket, tmp_bucket, tmp_key, etag, version_id, size, key, content_type, filename, field, owner, metadata, place)
         order by w.key collate "C", w.place;
        insert into s3file.job (upload_id, queue, priority, run_at, max_attempts, fair, owner, bucket)
        select w.id, enqueue_many.queue, enqueue_many.priority, due, enqueue_many.max_attempts, is_fair,
               case when is_fair then coalesce(w.owner, '') end, case when is_fair then w.bucket end
          from unnest(ids, owners, buckets) as w(id, owner, bucket);
        return query select i.place, i.id, i.key, 'queued', true from unnest(ids, keys) with ordinality as i(id, key, place);
        return;
    exception
        when unique_violation then null;
    end;
    -- Some were posted before, or some key is taken: one by one then.
    for one in
        select * from unnest(ids, buckets, coalesce(tmp_buckets, buckets), tmp_keys, etags, version_ids, sizes, keys, content_types,
                             filenames, fields, owners, metadata) with ordinality
            as w(id, bucket, tmp_bucket, tmp_key, etag, version_id, size, key, content_type, filename, field, owner, metadata, place)
         order by w.key collate "C", w.place
    loop
        return query
            select one.place, e.id, e.final_key, e.status, e.is_new
              from s3file.enqueue(
                       bucket => one.bucket, tmp_key => one.tmp_key, etag => one.etag, size => one.size, key => one.key,
                       content_type => coalesce(one.content_type, 'application/octet-stream'), filename => one.filename,
                       field => coalesce(one.field, ''), owner => one.owner, upload_id => one.id, version_id => one.version_id,
                       tmp_bucket => one.tmp_bucket, run_at => due, metadata => coalesce(one.metadata, '{}'),
                       queue => enqueue_many.queue, priority => enqueue_many.priority, max_attempts => enqueue_many.max_attempts) e;
    end loop;
end
$$;
comment on function s3file.enqueue_many is 'Enqueue many verified uploads in one statement; idempotent on each tmp key, all or none.';

-- Puts an ended upload into its queue again. Its attempts go on counting, for an attempt is a fencing token and is never used twice.
create function s3file.queue_again(id uuid, run_at timestamptz) returns boolean
language sql volatile
set search_path = pg_catalog, s3file, pg_temp
as $$
    with again as (
        update s3file.upload u
           set state = 0, finished_at = null, updated_at = now(), error_code = null, error_message = null, error_retryable = null
         where u.id = queue_again.id and u.state in (3, 4) and not u.tmp_deleted and u.attempt < 32767
           and exists (select from s3file.queue q where q.name = u.queue)
        returning u.*),
    noted as (
        insert into s3file.event (upload_ids, states, attempts)
        select array[a.id], array[0::smallint], array[a.attempt] from again a),
    jobs as (
        insert into s3file.job (upload_id, queue, priority, run_at, attempt, max_attempts, fair, owner, bucket)
        select a.id, a.queue, a.priority, queue_again.run_at, a.attempt, least(a.attempt + 12, 32767), q.fair,
               case when q.fair then coalesce(a.owner, '') end, case when q.fair then a.bucket end
          from again a join s3file.queue q on q.name = a.queue
        returning 1)
    select exists (select from jobs)
$$;

-- Lets workers take held uploads now. One whose hold a failed post of the same form gave up meanwhile is queued again.
create function s3file.release(upload_ids uuid[]) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    -- One that waits for another try has an error to show, and is not held.
    update s3file.job j set run_at = now()
     where j.upload_id = any(release.upload_ids) and j.worker is null and j.run_at > now()
       and not exists (select from s3file.upload u where u.id = j.upload_id and u.error_code is not null);
    perform s3file.queue_again(u.id, now()) from s3file.upload u
      where u.id = any(release.upload_ids) and u.state = 4 and not u.tmp_deleted and u.error_code = 'form_refused';
end
$$;
comment on function s3file.release is 'Let workers take uploads that were enqueued with a run_at in the future.';

-- Gives up held uploads, so that the form can be posted again. One that was released before stays as it is, also one that is released
-- while this waits for its row: hence the clock, not the time at which the statement began.
create function s3file.cancel_held(upload_ids uuid[]) returns void
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    with held as (
        delete from s3file.job j
         where j.upload_id = any(cancel_held.upload_ids) and j.worker is null and j.run_at > clock_timestamp()
           and not exists (select from s3file.upload u where u.id = j.upload_id and u.error_code is not null)
        returning j.upload_id),
    given_up as (
        update s3file.upload u
           set state = 4, finished_at = now(), updated_at = now(), error_code = 'form_refused', error_message = 'The form was not accepted.',
               error_retryable = true
          from held where u.id = held.upload_id
        returning u.id, u.state, u.attempt)
    insert into s3file.event (upload_ids, states, attempts)
    select array_agg(id), array_agg(state), array_agg(attempt) from given_up having count(*) > 0
$$;
comment on function s3file.cancel_held is 'Cancel uploads that are still held; posting their form again takes them up again.';

-- Withdraw an upload. A queued one is cancelled at once; a moving one ends when its worker settles. True if it was cancelled.
create function s3file.cancel(id uuid) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
declare
    of_worker bigint;
begin
    select j.worker into of_worker from s3file.job j where j.upload_id = cancel.id for update;
    if not found then
        return false;
    end if;
    if of_worker is not null then
        update s3file.job j set cancel_requested = true where j.upload_id = cancel.id;
        return false;
    end if;
    delete from s3file.job j where j.upload_id = cancel.id;
    with ended as (
        update s3file.upload u
           set state = 4, finished_at = now(), updated_at = now(), error_code = null, error_message = null, error_retryable = null
         where u.id = cancel.id
        returning u.id, u.state, u.attempt)
    insert into s3file.event (upload_ids, states, attempts) select array[e.id], array[e.state], array[e.attempt] from ended e;
    return true;
end
$$;
comment on function s3file.cancel is 'Withdraw a queued upload, or ask the worker of a moving one to stop.';

-- Takes failed and cancelled uploads up again whose tmp object is still there. How many it took.
create function s3file.retry(upload_ids uuid[]) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
declare
    taken bigint;
begin
    select count(*) into taken from (
        select s3file.queue_again(u.id, now()) as was_taken from s3file.upload u
         where u.id = any(retry.upload_ids) and u.state in (3, 4) and not u.tmp_deleted) r
     where r.was_taken;
    return taken;
end
$$;
comment on function s3file.retry is 'Queue failed and cancelled uploads again whose tmp object is still there.';

-- The promise that already claimed a tmp key, for the owner who made it.
create function s3file.promise(tmp_bucket text, tmp_key text, owner text)
returns table (id uuid, field text, filename text, size bigint, content_type text, etag text, version_id text, key text)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    select u.id, u.field::text, u.filename::text, u.size::bigint, u.content_type::text, u.etag::text, u.version_id::text, u.key::text
      from s3file.upload u
     where u.tmp_bucket = promise.tmp_bucket and u.tmp_key = promise.tmp_key and u.owner is not distinct from promise.owner
       and u.state in (0, 2)
$$;

-- Makes a queue, or changes one; what is not given keeps its value, and 0 takes a limit away. Making a queue fair, or ordinary again, touches each job that waits in it.
create function s3file.set_queue(
    name text, paused boolean default null, fair boolean default null,
    max_in_flight integer default null, max_in_flight_per_owner integer default null, max_in_flight_per_bucket integer default null
) returns s3file.queue
language plpgsql volatile
set search_path = pg_catalog, s3file, pg_temp
as $$
declare
    result s3file.queue;
begin
    insert into s3file.queue (name) values (set_queue.name) on conflict do nothing;
    update s3file.queue q
       set paused = coalesce(set_queue.paused, q.paused),
           fair = coalesce(set_queue.fair, q.fair),
           max_in_flight = case when set_queue.fair is false then null else nullif(coalesce(set_queue.max_in_flight, q.max_in_flight), 0) end,
           max_in_flight_per_owner =
               case when set_queue.fair is false then null else nullif(coalesce(set_queue.max_in_flight_per_owner, q.max_in_flight_per_owner), 0) end,
           max_in_flight_per_bucket =
               case when set_queue.fair is false then null else nullif(coalesce(set_queue.max_in_flight_per_bucket, q.max_in_flight_per_bucket), 0) end
     where q.name = set_queue.name
    returning * into result;
    update s3file.job j
       set fair = result.fair, owner = case when result.fair then coalesce(u.owner, '') end, bucket = case when result.fair then u.bucket end
      from s3file.upload u
     where u.id = j.upload_id and j.queue = result.name and j.fair <> result.fair;
    return result;
end
$$;
comment on function s3file.set_queue is 'Create or change a named queue: pause it, make it fair, limit what is in flight.';

-- A queue that jobs wait in stays, under its name.
create function s3file.queue_in_use() returns trigger
language plpgsql
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    if old.name = 'default' or exists (select from s3file.job j where j.queue = old.name) then
        raise exception 's3file.queue: jobs wait in it, or it is the default'
            using errcode = 'foreign_key_violation', hint = 'Let its jobs end first; a queue can be paused.';
    end if;
    return case when tg_op = 'DELETE' then old else new end;
end
$$;
create trigger queue_in_use before delete or update of name on s3file.queue for each row execute function s3file.queue_in_use();

revoke execute on all functions in schema s3file from public;
