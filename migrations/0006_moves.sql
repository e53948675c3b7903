-- What a move must know and tell: how the object shall be stored, which guarantee held, and the plan of a copy in parts.

create domain s3file.storage as jsonb
    constraint "storage: a JSON object" check (jsonb_typeof(value) = 'object')
    constraint "storage: at most 8192 bytes" check (octet_length(value::text) <= 8192)
    constraint "storage: only the keys that store_as() lists"
        check (value - '{accept,acl,cacheControl,contentDisposition,encryption,kmsKeyId,metadata,storageClass,tags}'::text[] = '{}')
    constraint "storage: headers are visible ASCII text"
        check (array_remove(array[jsonb_typeof(value -> 'acl'), jsonb_typeof(value -> 'cacheControl'), jsonb_typeof(value -> 'contentDisposition'),
                   jsonb_typeof(value -> 'encryption'), jsonb_typeof(value -> 'kmsKeyId'), jsonb_typeof(value -> 'storageClass')], null)
               <@ array['string']
               and concat(value ->> 'acl', value ->> 'cacheControl', value ->> 'contentDisposition', value ->> 'encryption',
                          value ->> 'kmsKeyId', value ->> 'storageClass') ~ '^[ -~]*$')
    constraint "storage: encryption is AES256 or aws:kms" check (coalesce(value ->> 'encryption', 'AES256') in ('AES256', 'aws:kms'))
    constraint "storage: kmsKeyId only with aws:kms" check (not value ? 'kmsKeyId' or coalesce(value ->> 'encryption', '') = 'aws:kms')
    constraint "storage: accept is a list of types and extensions"
        check (not value ? 'accept' or value -> 'accept' = jsonb_path_query_array(value,
               '$.accept[*] ? (@.type() == "string" && @ like_regex "^[!-+.-~-]{2,127}$")', silent => true))
    constraint "storage: metadata and tags are objects of text"
        check (array_remove(array[jsonb_typeof(value -> 'metadata'), jsonb_typeof(value -> 'tags')], null) <@ array['object']
               -- Strict, or a list would be taken for its entries; an object without the key is an error there, and so no match.
               and (value @? 'strict $.metadata.* ? (@.type() != "string")') is not true
               and (value @? 'strict $.tags.* ? (@.type() != "string")') is not true)
    constraint "storage: metadata: a-z 0-9 - names, not s3file-…, ASCII values"
        check (not value @? '$.metadata.keyvalue() ? (!(@.key like_regex "^[a-z0-9-]{1,64}$") || @.key starts with "s3file-"
                                                      || !(@.value like_regex "^[ -~]*$"))')
    constraint "storage: 10 tags of letters, digits, spaces + - = . _ : / @"
        check (jsonb_array_length(jsonb_path_query_array(value, '$.tags.keyvalue()', silent => true)) <= 10
               and not value @? '$.tags.keyvalue() ? (!(@.key like_regex "^([A-Za-z0-9 +=._:/@-]|[^\\x01-\\x7f]){1,128}$")
                                                       || !(@.value like_regex "^([A-Za-z0-9 +=._:/@-]|[^\\x01-\\x7f]){0,255}([A-Za-z0-9 +=._:/@-]|[^\\x01-\\x7f])?$"))');

-- Plain types: a column of a domain with rules would have Postgres rewrite the whole table. What goes in comes through store_as(), whose
-- argument is of the domain, and through settle().
alter table s3file.upload add column storage jsonb, add column guarantee text;

create or replace view s3file.upload_status as
select u.id,
       case when u.state > 0 then (array['moving', 'stored', 'failed', 'cancelled', 'expired'])[u.state]
            when j.worker is not null then 'moving' else 'queued' end as status,
       u.field, u.owner, u.filename, u.size, u.content_type, u.bucket, u.key,
       u.queue, u.priority,
       coalesce(j.attempt, u.attempt) as attempt,
       coalesce(j.max_attempts, u.max_attempts) as max_attempts,
       case when u.state = 2 then u.size else u.copied end as copied_bytes,
       u.error_code, u.error_message, u.error_retryable,
       case when j.worker is null then j.run_at end as next_attempt_at,
       coalesce(j.cancel_requested, false) as cancel_requested,
       u.metadata,
       u.created_at,
       greatest(u.updated_at, j.started_at) as updated_at,
       coalesce(j.started_at, u.started_at) as started_at,
       case when u.state = 2 then u.finished_at end as stored_at,
       u.finished_at,
       u.storage, u.guarantee
  from s3file.upload u left join s3file.job j on j.upload_id = u.id;
comment on column s3file.upload_status.content_type is 'As declared; once stored, as the stored object has it when its bytes told otherwise.';
comment on column s3file.upload_status.storage is 'How the object shall be stored, as store_as() was told.';
comment on column s3file.upload_status.guarantee is
    'What proved that the stored bytes are the verified ones: version (that version was copied), source_condition (the store refuses any others), etag (the copy has the same digest), checksum (source and copy have the same), head (the source was the same before and after).';

-- Says how uploads shall be stored, while no worker has them: in the statement or transaction that enqueues them, or under a hold.
--
--   select s3file.store_as(array[e.id], '{"cacheControl": "private", "tags": {"kind": "avatar"}}')
--     from s3file.enqueue('media', 'tmp/s3file/…', etag => '…', size => 3, key => 'avatars/me.png') e;
--
-- Keys: cacheControl, contentDisposition, storageClass, acl, encryption (AES256 or aws:kms) and kmsKeyId; metadata and tags, objects of text;
-- accept, a list like HTML's: the first bytes must be of one of these types, or the upload fails as wrong_type. Returns how many it took effect for.
create function s3file.store_as(upload_ids uuid[], storage s3file.storage) returns bigint
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    with waiting as (
        select j.upload_id from s3file.job j where j.upload_id = any(store_as.upload_ids) and j.worker is null
         order by j.upload_id for no key update),
    said as (
        update s3file.upload u set storage = store_as.storage from waiting w where u.id = w.upload_id returning 1)
    select count(*) from said
$$;
comment on function s3file.store_as is 'Say how queued uploads shall be stored: headers, tags, encryption, class, accepted types.';

-- The copy of an object in parts, so that another worker goes on where one stopped. The parts that are done are the store's to tell.
create table s3file.multipart_move (
    upload_id           uuid primary key,
    bucket              text collate "C" not null,
    key                 text collate "C" not null,
    multipart_upload_id text collate "C" not null,
    part_size           bigint      not null,
    source              text        not null,   -- a digest of what is copied: bytes and attributes
    source_modified_at  timestamptz,
    created_at          timestamptz not null default now(),
    constraint "multipart_upload_id: 1 to 1024 bytes" check (octet_length(multipart_upload_id) between 1 and 1024),
    constraint "source: 1 to 64 bytes" check (octet_length(source) between 1 and 64),
    constraint "part_size: 1 to 5 GiB" check (part_size between 1 and 5368709120)
);
comment on table s3file.multipart_move is 'Copies in parts that were begun and not yet found to be over.';

insert into s3file.maintenance (task) values ('moves'), ('tmp');

-- Notes the plan of a copy, for whoever holds the attempt; false when that is another worker by now.
create function s3file.plan_move(
    worker bigint, upload_id uuid, attempt smallint, multipart_upload_id text, part_size bigint, source text,
    source_modified_at timestamptz default null
) returns boolean
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    with held as (
        -- Until this is done nobody can take the attempt away.
        select j.upload_id from s3file.job j
         where j.upload_id = plan_move.upload_id and j.attempt = plan_move.attempt and j.worker = plan_move.worker for no key update),
    planned as (
        insert into s3file.multipart_move as m (upload_id, bucket, key, multipart_upload_id, part_size, source, source_modified_at)
        select u.id, u.bucket, u.key, plan_move.multipart_upload_id, plan_move.part_size, plan_move.source, plan_move.source_modified_at
          from held h join s3file.upload u on u.id = h.upload_id
        on conflict on constraint multipart_move_pkey do update
           set multipart_upload_id = excluded.multipart_upload_id, part_size = excluded.part_size,
               source = excluded.source, source_modified_at = excluded.source_modified_at, created_at = now()
        returning 1)
    select exists (select from planned)
$$;

create function s3file.move_plan(upload_id uuid)
returns table (multipart_upload_id text, part_size bigint, source text, source_modified_at timestamptz)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select m.multipart_upload_id, m.part_size, m.source, m.source_modified_at from s3file.multipart_move m where m.upload_id = move_plan.upload_id
$$;

-- Plans whose upload neither waits nor moves: what is left of them in the store is to be given up, and then the plan forgotten.
create function s3file.abandoned_moves(at_most integer, after uuid default null)
returns table (upload_id uuid, bucket text, key text, multipart_upload_id text)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select m.upload_id, m.bucket, m.key, m.multipart_upload_id from s3file.multipart_move m
     where m.upload_id > coalesce(abandoned_moves.after, '00000000-0000-0000-0000-000000000000')
       and not exists (select from s3file.job j where j.upload_id = m.upload_id)
     order by m.upload_id limit at_most
$$;

-- Not one that was made anew meanwhile.
create function s3file.forget_moves(upload_ids uuid[], multipart_upload_ids text[]) returns void
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    delete from s3file.multipart_move m using unnest(forget_moves.upload_ids, forget_moves.multipart_upload_ids) as t(upload_id, id)
     where m.upload_id = t.upload_id and m.multipart_upload_id = t.id
$$;

-- Of multipart uploads that a listing showed, and that are old: those to a key of ours that no plan names. A worker died between beginning
-- one and noting it, or the answer was lost.
create function s3file.stray_multipart_uploads(bucket text, keys text[], multipart_upload_ids text[])
returns table (key text, multipart_upload_id text)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select t.key, t.id from unnest(stray_multipart_uploads.keys, stray_multipart_uploads.multipart_upload_ids) as t(key, id)
     where exists (select from s3file.upload u where u.bucket = stray_multipart_uploads.bucket and u.key = t.key)
       and not exists (select from s3file.multipart_move m join s3file.upload o on o.id = m.upload_id
                        where o.bucket = stray_multipart_uploads.bucket and o.key = t.key and m.multipart_upload_id = t.id)
$$;

-- The workers' three functions that take or give more than before. Workers of the version before name their arguments, and read columns by
-- their names: they go on.
drop function s3file.claim, s3file.settle, s3file.tmp_left;

create function s3file.claim(
    worker bigint, room integer, queues text[] default null,
    lane_queues text[] default null, lane_priorities smallint[] default null, lane_run_ats timestamptz[] default null,
    lane_uploads uuid[] default null, takes_storage boolean default false)
returns table (id uuid, attempt smallint, max_attempts smallint, filename text, content_type text, size bigint, tmp_bucket text, tmp_key text,
               etag text, version_id text, bucket text, key text, queue text, priority smallint, run_at timestamptz, fair boolean,
               storage text)
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    due uuid[];
begin
    -- The lock makes a reaper wait for this claim, and so see its jobs.
    perform from s3file.worker w where w.id = claim.worker and w.expires_at > now() and not w.draining for key share;
    if not found or room is null or room < 1 then
        return;
    end if;
    if lane_queues is null then
        select array_agg(l.queue), array_agg(l.priority), array_agg('-infinity'::timestamptz),
               array_agg('00000000-0000-0000-0000-000000000000'::uuid)
          into lane_queues, lane_priorities, lane_run_ats, lane_uploads
          from s3file.lanes(claim.queues) l;
        if exists (select from s3file.queue q where q.fair and not q.paused and (claim.queues is null or q.name = any(claim.queues))) then
            -- A job that some open transaction holds (a cancel, a release) must not make every worker wait for it.
            due := s3file.fair_turn(claim.queues, room / 2 + case when room % 2 = 1 and random() < 0.5 then 1 else 0 end);
            due := array(select j.upload_id from s3file.job j where j.upload_id = any(due) and j.worker is null
                            and (claim.takes_storage
                                 or not exists (select from s3file.upload u where u.id = j.upload_id and u.storage is not null))
                            for no key update skip locked);
        end if;
    end if;
    due := due || array(
        select j.upload_id
          from unnest(lane_queues, lane_priorities, lane_run_ats, lane_uploads) as lane(queue, priority, run_at, upload_id)
          join s3file.queue q on q.name = lane.queue and not q.paused and not q.fair
         cross join lateral (
               select w.upload_id from s3file.job w
                where w.queue = lane.queue and w.priority = lane.priority and w.worker is null and not w.fair
                  and w.run_at <= now() and (w.run_at, w.upload_id) >= (lane.run_at, lane.upload_id)
                  -- A worker of the version before would store the file plainly. One of today asks the table nothing here.
                  and (claim.takes_storage
                       or not exists (select from s3file.upload u where u.id = w.upload_id and u.storage is not null))
                order by w.run_at, w.upload_id limit 1000 for no key update skip locked) j
         limit least(room - coalesce(cardinality(due), 0), 1000));
    return query
        with claimed as (
            update s3file.job j
               set worker = claim.worker, attempt = j.attempt + 1, started_at = now()
             where j.upload_id = any(due) and j.worker is null
            returning j.*),
        noted as (
            insert into s3file.event (worker, upload_ids, states, attempts)
            select claim.worker, array_agg(c.upload_id), array_agg(1::smallint), array_agg(c.attempt) from claimed c having count(*) > 0)
        select c.upload_id, c.attempt, c.max_attempts, u.filename::text, u.content_type::text, u.size::bigint, u.tmp_bucket::text,
               u.tmp_key::text, u.etag::text, u.version_id::text, u.bucket::text, u.key::text, c.queue, c.priority, c.run_at, c.fair,
               u.storage::text
          from claimed c join s3file.upload u on u.id = c.upload_id;
end
$$;
comment on function s3file.claim is 'Claim due jobs for a live worker; the attempt that is returned fences the settle.';

-- As before, and with what proved the bytes (guarantees) and the type that the stored object got (content_types; null leaves it).
create function s3file.settle(
    worker bigint, upload_ids uuid[], attempts smallint[], outcomes text[], delays double precision[] default null,
    codes text[] default null, messages text[] default null, etags text[] default null, version_ids text[] default null,
    guarantees text[] default null, content_types text[] default null
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
        select * from unnest(settle.upload_ids, settle.attempts, outcomes, delays, codes, messages, etags, version_ids, guarantees, content_types)
            as t(upload_id, attempt, outcome, delay, code, message, etag, version_id, guarantee, content_type)
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
                  t.outcome, t.code, t.message, t.etag, t.version_id, t.guarantee, t.content_type),
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
                  t.outcome, t.code, t.message, t.etag, t.version_id, t.guarantee, t.content_type),
    settled as (select * from ended union all select * from again),
    recorded as (
        update s3file.upload u
           set state = s.state, attempt = s.attempt, max_attempts = s.max_attempts, started_at = coalesce(s.started_at, u.started_at),
               finished_at = case when s.state > 0 then now() end, updated_at = now(),
               stored_etag = case when s.state = 2 then s.etag end, stored_version_id = case when s.state = 2 then s.version_id end,
               guarantee = case when s.state = 2 then s.guarantee end,
               content_type = case when s.state = 2 and octet_length(s.content_type) <= 255 then s.content_type else u.content_type end,
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

-- Tmp objects of stored uploads that nobody deleted, the oldest batches first, from behind one on.
create function s3file.tmp_left(age interval, batches integer, after bigint default 0)
returns table (id uuid, tmp_bucket text, tmp_key text, version_id text, etag text, tmp_deletion bigint)
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    select u.id, u.tmp_bucket::text, u.tmp_key::text, u.version_id::text, u.etag::text, d.id
      from (select t.id, t.upload_ids from s3file.tmp_deletion t where t.id > tmp_left.after and t.stored_at < now() - age order by t.id limit batches) d
     cross join unnest(d.upload_ids) as one(upload_id)
      join s3file.upload u on u.id = one.upload_id
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
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
