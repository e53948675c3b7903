\set worker :client_id + 1
select coalesce(array_agg(id), '{}') as ids, coalesce(array_agg(attempt), '{}') as attempts, coalesce(array_agg('stored'::text), '{}') as outcomes, coalesce(array_agg(etag), '{}') as etags,
 coalesce((array_agg(row(queue, priority, run_at, id)::s3file.lane order by run_at desc, id desc))[1:1]::text, '{}') as lanes
from s3file.claim(:worker, 100, null, nullif(:lanes, '{}')::s3file.lane[]) \gset
select coalesce(array_agg(id), '{}') as stored, coalesce(array_agg(distinct tmp_deletion), '{}') as deletions from s3file.settle(:worker, :ids::uuid[], :attempts::smallint[], :outcomes::text[], etags => :etags::text[]) \gset
select s3file.tmp_deleted(:deletions::bigint[], :stored::uuid[]);
