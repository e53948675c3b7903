-- What a worker sends under load, by pgbench: the last batch's settle and the next claim in one round trip and one commit, and that the tmp
-- objects are gone. The lane is where the next claim reads on.
\set worker :client_id + 1
with settled as materialized (
    select id, tmp_deletion
      from s3file.settle(
          worker => :worker, upload_ids => :ids::uuid[], attempts => :attempts::smallint[], outcomes => :outcomes::text[],
          etags => :etags::text[])),
deleted as materialized (
    select s3file.tmp_deleted(array_agg(distinct tmp_deletion), array_agg(id)) from settled having count(*) > 0),
claimed as materialized (
    select *
      from s3file.claim(
          worker => :worker, room => 100, lane_queues => nullif(:lane_queues::text[], '{}'),
          lane_priorities => :lane_priorities::smallint[], lane_run_ats => :lane_run_ats::timestamptz[],
          lane_uploads => :lane_uploads::uuid[])),
last as (
    select * from claimed order by run_at desc, id desc limit 1)
select (select count(*) from deleted) as deletions,
       coalesce(array_agg(id), '{}') as ids, coalesce(array_agg(attempt), '{}') as attempts,
       coalesce(array_agg('stored'::text), '{}') as outcomes, coalesce(array_agg(etag), '{}') as etags,
       array(select queue from last) as lane_queues, array(select priority from last) as lane_priorities,
       array(select run_at from last) as lane_run_ats, array(select id from last) as lane_uploads
  from claimed \gset
