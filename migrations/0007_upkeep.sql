-- What the sweep and the reconciliation ask and tell: who sweeps where, and how far; the record in the order of a listing; and the repairs of
-- what the two disagree about, each of which looks again at what it was decided on.

-- One row for each place that is swept. A pass that was left, by a crash or a stop, is gone on with behind the last key that was done.
create table s3file.sweep (
    bucket      text collate "C" not null,
    prefix      text collate "C" not null,
    token       bigint      not null default 0,          -- counted at each taking: what an earlier holder notes takes no effect
    holder      text        not null default '',         -- host and process, for people
    due_at      timestamptz not null default now(),      -- no pass begins by itself before this
    expires_at  timestamptz,                             -- while a pass is under way: until when its holder is waited for
    after       text collate "C" not null default '',    -- the last key that is done with
    began_at    timestamptz,
    ended_at    timestamptz,
    listed      bigint      not null default 0,          -- of the pass that is under way, or the last
    removed     bigint      not null default 0,
    bytes_freed bigint      not null default 0,
    failed      bigint      not null default 0,
    primary key (bucket, prefix)
);
comment on table s3file.sweep is 'Where stale tmp objects are looked for: who does it, how far the pass is, and what it did.';

-- Takes the turn at a pass, or goes on with one that its holder left; no row when another has it, or it is not due.
--
-- anew: whoever asks wants a whole pass, and now. What another is at it stays with the other in any case.
create function s3file.begin_sweep(bucket text, prefix text, holder text, every interval, lease interval, anew boolean default false)
returns table (token bigint, after text, now timestamptz)
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    if not exists (select from s3file.sweep s where s.bucket = begin_sweep.bucket and s.prefix = begin_sweep.prefix) then
        insert into s3file.sweep (bucket, prefix) values (begin_sweep.bucket, begin_sweep.prefix) on conflict do nothing;
    end if;
    return query
        update s3file.sweep s
           set token = s.token + 1, holder = left(begin_sweep.holder, 255), expires_at = now() + begin_sweep.lease,
               after = case when o.resumed then s.after else '' end,
               began_at = case when o.resumed then s.began_at else now() end,
               due_at = case when o.resumed then s.due_at else now() + begin_sweep.every end,
               listed = case when o.resumed then s.listed else 0 end, removed = case when o.resumed then s.removed else 0 end,
               bytes_freed = case when o.resumed then s.bytes_freed else 0 end, failed = case when o.resumed then s.failed else 0 end
          from (select h.bucket, h.prefix, h.expires_at is not null and not begin_sweep.anew as resumed from s3file.sweep h
                 where h.bucket = begin_sweep.bucket and h.prefix = begin_sweep.prefix for no key update) as o
         where s.bucket = o.bucket and s.prefix = o.prefix
           and coalesce(s.expires_at <= now(), begin_sweep.anew or s.due_at <= now())
        returning s.token, s.after, now();
end
$$;
comment on function s3file.begin_sweep is 'Take the turn at looking for stale tmp objects, or go on with a pass that was left.';

-- Notes how far a pass is, and keeps it. False when another has taken it: then nothing more may be done.
create function s3file.keep_sweep(
    bucket text, prefix text, token bigint, lease interval, after text,
    listed bigint, removed bigint, bytes_freed bigint, failed bigint
) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    update s3file.sweep s
       set expires_at = now() + keep_sweep.lease, after = coalesce(keep_sweep.after, s.after), listed = s.listed + keep_sweep.listed,
           removed = s.removed + keep_sweep.removed, bytes_freed = s.bytes_freed + keep_sweep.bytes_freed, failed = s.failed + keep_sweep.failed
     where s.bucket = keep_sweep.bucket and s.prefix = keep_sweep.prefix and s.token = keep_sweep.token and s.expires_at is not null;
    return found;
end
$$;

-- Ends a pass, or leaves it for whoever looks next.
create function s3file.end_sweep(bucket text, prefix text, token bigint, done boolean) returns void
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    update s3file.sweep s
       set expires_at = case when not end_sweep.done then now() end, after = case when end_sweep.done then '' else s.after end,
           ended_at = case when end_sweep.done then now() else s.ended_at end
     where s.bucket = end_sweep.bucket and s.prefix = end_sweep.prefix and s.token = end_sweep.token and s.expires_at is not null
$$;

-- As before, but it waits for nobody's transaction: where an app holds a key that it enqueues, neither of the two shall stand still, nor the
-- app's transaction be chosen as the victim of a deadlock, which takes Postgres a second to notice. And what it costs no longer grows with the
-- uploads there are.
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

-- What expire() would give, marking nothing.
create function s3file.expirable(tmp_bucket text, keys text[], failed_life interval) returns setof text
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

-- An upload as a reconciliation compares it with the store. Nobody is granted it: the functions below read it.
create view s3file.compared as
select u.id, u.state, u.bucket::text collate "C" as bucket, u.key::text collate "C" as key, u.size::bigint as size, u.etag::text as etag,
       u.version_id::text as version_id, u.stored_etag, u.stored_version_id, u.tmp_bucket::text collate "C" as tmp_bucket,
       u.tmp_key::text collate "C" as tmp_key, u.tmp_deleted, u.attempt, u.error_code, u.updated_at, u.finished_at,
       j.upload_id is not null as has_job, now() as read_at
  from s3file.upload u left join s3file.job j on j.upload_id = u.id;
comment on view s3file.compared is 'What a reconciliation compares with the store.';

-- A page in the order of a listing: keys by their bytes.
create function s3file.compared_by_key(bucket text, first text, after text, at_most integer) returns setof s3file.compared
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off set jit = off
as $$
    select c.* from s3file.compared c
     where c.bucket = compared_by_key.bucket and c.key >= compared_by_key.first and c.key > compared_by_key.after
     order by c.key limit at_most
$$;

create function s3file.compared_by_tmp_key(tmp_bucket text, first text, after text, at_most integer) returns setof s3file.compared
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_sort = off set jit = off
as $$
    select c.* from s3file.compared c
     where c.tmp_bucket = compared_by_tmp_key.tmp_bucket and c.tmp_key >= compared_by_tmp_key.first and c.tmp_key > compared_by_tmp_key.after
     order by c.tmp_key limit at_most
$$;

-- These again, as they are now: by id, by where they are stored, or by where they came from.
create function s3file.compared_again(
    upload_ids uuid[] default '{}', bucket text default null, keys text[] default '{}', tmp_bucket text default null, tmp_keys text[] default '{}'
) returns setof s3file.compared
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
    -- One by one: of a list of keys next to a bucket Postgres may take the bucket's index entries, all of them.
    select c.* from unnest(compared_again.upload_ids) as t(id) cross join lateral (select c.* from s3file.compared c where c.id = t.id offset 0) c
    union
    select c.* from unnest(compared_again.keys) as t(key)
     cross join lateral (select c.* from s3file.compared c where c.bucket = compared_again.bucket and c.key = t.key offset 0) c
    union
    select c.* from unnest(compared_again.tmp_keys) as t(key)
     cross join lateral (select c.* from s3file.compared c where c.tmp_bucket = compared_again.tmp_bucket and c.tmp_key = t.key offset 0) c
$$;

-- Other buckets that the record names, a few of them.
create function s3file.other_buckets(bucket text) returns setof text
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off
as $$
    with recursive named(bucket, place) as (
        select (select u.bucket::text from s3file.upload u where u.key is not null order by u.bucket limit 1), 1
        union all
        select (select u.bucket::text from s3file.upload u where u.bucket > named.bucket and u.key is not null order by u.bucket limit 1), named.place + 1
          from named where named.bucket is not null and named.place < 20)
    select n.bucket from named n where n.bucket is not null and n.bucket <> other_buckets.bucket
$$;

-- Of a page of jobs those that stand still, and the page's last: its `reason` is null unless it stands still as well. Reasons:
-- no_upload (the job is of nothing that waits), no_queue (nobody serves its queue, for there is none of that name), worker_lost (its worker
-- has not been heard of for `dead_for`, and nobody took it back), silent (its worker lives, and has not got on with it for `silent_for`),
-- unclaimed (due for `due_for`, and no worker took it).
create function s3file.stuck_jobs(after uuid, at_most integer, due_for interval, silent_for interval, dead_for interval)
returns table (upload_id uuid, reason text, attempt smallint, queue text, since timestamptz, worker bigint)
language sql stable security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off
set jit = off
as $$
    with page as materialized (
        select j.* from s3file.job j where j.upload_id > coalesce(stuck_jobs.after, '00000000-0000-0000-0000-000000000000')
         order by j.upload_id limit at_most),
    looked as (
        select p.*, q.paused, w.expires_at,
               case when u.id is null or u.state <> 0 then 'no_upload'
                    when q.name is null then 'no_queue'
                    when p.worker is not null and (w.id is null and p.started_at < now() - stuck_jobs.dead_for
                                                   or w.expires_at < now() - stuck_jobs.dead_for) then 'worker_lost'
                    when p.worker is not null and greatest(p.started_at, u.updated_at) < now() - stuck_jobs.silent_for then 'silent'
                    when p.worker is null and not q.paused and p.run_at < now() - stuck_jobs.due_for then 'unclaimed' end as reason,
               case when p.worker is null then p.run_at else greatest(p.started_at, u.updated_at) end as since
          from page p
          left join s3file.upload u on u.id = p.upload_id
          left join s3file.queue q on q.name = p.queue
          left join s3file.worker w on w.id = p.worker)
    select l.upload_id, l.reason, l.attempt, l.queue, l.since, l.worker from looked l
     where l.reason is not null or l.upload_id = (select p.upload_id from page p order by p.upload_id desc limit 1)
     order by l.upload_id
$$;

-- Repairs. Each tells whether it took effect: if not, things were no longer as they had been found.

-- Has a stored upload stored again, from its tmp object, because what was stored is not there.
create function s3file.store_again(upload_id uuid, attempt smallint) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    update s3file.upload u
       set state = 3, finished_at = now(), updated_at = now(), stored_etag = null, stored_version_id = null, guarantee = null, copied = 0
     where u.id = store_again.upload_id and u.state = 2 and u.attempt = store_again.attempt and not u.tmp_deleted and u.attempt < 32767
       and exists (select from s3file.queue q where q.name = u.queue);
    if not found then
        return false;
    end if;
    -- Nobody is to delete the tmp object any more. Who has it in hand already leaves nothing to store, and the upload fails: no worse than it was.
    update s3file.tmp_deletion d
       set upload_ids = array(select one.id from unnest(d.upload_ids) as one(id) where one.id <> store_again.upload_id)
     where d.upload_ids @> array[store_again.upload_id];
    delete from s3file.tmp_deletion d where d.upload_ids = '{}';
    return s3file.queue_again(store_again.upload_id, now());
end
$$;

-- Takes a failed upload up again, of which a copy lies at its key.
create function s3file.take_up(upload_id uuid, attempt smallint) returns boolean
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
    select coalesce((select s3file.queue_again(u.id, now()) from s3file.upload u
                      where u.id = take_up.upload_id and u.state = 3 and u.attempt = take_up.attempt and not u.tmp_deleted), false)
$$;

-- Forgets a stored upload whose object is gone for good.
create function s3file.forget_stored(upload_id uuid, attempt smallint) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    delete from s3file.upload u
     where u.id = forget_stored.upload_id and u.state = 2 and u.attempt = forget_stored.attempt
       and not exists (select from s3file.tmp_deletion d where d.upload_ids @> array[u.id]);
    return found;
end
$$;

-- Sees to it that no worker will ever take a copy for stored that is about to be deleted: a cancelled upload can be claimed no more, and a key
-- that no upload has is given to none meanwhile. What was deleted, and why, stays in the record as long as any cancelled upload.
create function s3file.bury_copy(upload_id uuid, attempt smallint, bucket text, key text, size bigint, etag text) returns boolean
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
as $$
begin
    if bury_copy.attempt is not null then
        update s3file.upload u set tmp_deleted = true, updated_at = now()
         where u.id = bury_copy.upload_id and u.state = 4 and u.attempt = bury_copy.attempt
           and u.bucket = bury_copy.bucket and u.key = bury_copy.key;
        return found;
    end if;
    -- Repeatable: the row of an earlier try is as good.
    if exists (select from s3file.upload u where u.bucket = bury_copy.bucket and u.key = bury_copy.key and u.error_code = 'orphan_removed'
                  and u.state = 4 and u.tmp_deleted) then
        return true;
    end if;
    insert into s3file.upload
        (id, state, filename, content_type, size, tmp_bucket, tmp_key, etag, tmp_deleted, bucket, key, finished_at,
         error_code, error_message, error_retryable)
    select i.id, 4, left(regexp_replace(bury_copy.key, '^.*/', ''), 255), 'application/octet-stream', bury_copy.size, bury_copy.bucket,
           's3file/orphans/' || i.id, bury_copy.etag, true, bury_copy.bucket, bury_copy.key, now(), 'orphan_removed',
           'No upload of the record had this file, and it was removed. It was stamped with ' || bury_copy.upload_id || '.', false
      from s3file.uuid_v7() as i(id)
     where not exists (select from s3file.upload u where u.id = bury_copy.upload_id)
    on conflict do nothing;
    return found;
end
$$;

-- Gives those their job back that wait by the record and have none; takes jobs away that are of nothing that waits. How many it mended.
create function s3file.mend_jobs(upload_ids uuid[]) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
declare
    gone  bigint;
    again bigint;
begin
    perform from s3file.upload u where u.id = any(mend_jobs.upload_ids) order by u.id for no key update;
    delete from s3file.job j
     where j.upload_id = any(mend_jobs.upload_ids) and not exists (select from s3file.upload u where u.id = j.upload_id and u.state = 0);
    get diagnostics gone = row_count;
    insert into s3file.job (upload_id, queue, priority, attempt, max_attempts, fair, owner, bucket)
    select u.id, q.name, u.priority, u.attempt, greatest(u.max_attempts, least(u.attempt + 1, 32767)), q.fair,
           case when q.fair then coalesce(u.owner, '') end, case when q.fair then u.bucket end
      from s3file.upload u join s3file.queue q on q.name = u.queue
     where u.id = any(mend_jobs.upload_ids) and u.state = 0
    on conflict do nothing;
    get diagnostics again = row_count;
    return gone + again;
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
            s3file.retry, s3file.promise, s3file.store_as, s3file.uuid_v7 to s3file_web;
    end if;
    if exists (select from pg_roles where rolname = 's3file_worker') then
        grant usage on schema s3file to s3file_worker;
        grant select on s3file.upload_status, s3file.upload_event, s3file.queue, s3file.worker, s3file.sweep to s3file_worker;
        grant execute on function s3file.register, s3file.beat, s3file.unregister, s3file.take_turn, s3file.claim, s3file.settle,
            s3file.progress, s3file.give_back_others, s3file.reap, s3file.tmp_left, s3file.tmp_deleted, s3file.expire, s3file.prune,
            s3file.prune_events, s3file.plan_move, s3file.move_plan, s3file.abandoned_moves, s3file.forget_moves,
            s3file.stray_multipart_uploads, s3file.begin_sweep, s3file.keep_sweep, s3file.end_sweep, s3file.expirable,
            s3file.compared_by_key, s3file.compared_by_tmp_key, s3file.compared_again, s3file.other_buckets, s3file.stuck_jobs,
            s3file.store_again, s3file.take_up, s3file.forget_stored, s3file.bury_copy, s3file.mend_jobs to s3file_worker;
    end if;
end
$$;
revoke execute on all functions in schema s3file from public;
select s3file.grant_roles();
