-- Claims a batch of 100, and settles it under its fence: two commits a batch.
-- id = any(array(…)) keeps to the primary key, whatever the statistics say.
with due as materialized (
    select id from job where state = 0 and run_at <= now()
     order by priority, run_at, id limit 100 for no key update skip locked),
claimed as (
    update job j set state = 1, attempt = attempt + 1, worker = :client_id, lease_until = now() + interval '30 s'
     where j.id = any(array(select id from due))
    returning j.id, j.attempt, j.payload)
select coalesce(array_agg(id), '{}') as ids, coalesce(array_agg(attempt), '{}') as attempts, count(payload) as count from claimed \gset
update job j set state = 2, lease_until = null
  from unnest(:ids::bigint[], :attempts::smallint[]) as t(id, attempt)
 where j.id = any(:ids::bigint[]) and j.id = t.id and j.attempt = t.attempt and j.state = 1;
