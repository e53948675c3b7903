create or replace function s3file.settle(
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
                             else now() + make_interval(secs => case
                                 when t.delay is null then least(power(j.attempt, 4), 3600) * (0.9 + 0.2 * random())
                                 else least(greatest(t.delay, 0), 86400) end) end
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

create or replace function s3file.give_back_others(worker bigint, in_flight uuid[]) returns bigint
language sql volatile security definer
set search_path = pg_catalog, s3file, pg_temp
set enable_seqscan = off set jit = off
as $$
    select s3file.put_back(array(
        select j.upload_id from s3file.job j
         where j.worker = give_back_others.worker and j.upload_id <> all(give_back_others.in_flight)
           for no key update), false)
$$;

create or replace function s3file.bury_copy(upload_id uuid, attempt smallint, bucket text, key text, size bigint, etag text) returns boolean
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
