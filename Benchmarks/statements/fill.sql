-- Uploads by the bulk function, as an app would enqueue them; and a lease for each connection of pgbench.
truncate s3file.upload, s3file.job, s3file.event, s3file.tmp_deletion, s3file.worker restart identity;
insert into s3file.worker (host, pid, version, expires_at)
select 'pgbench', n, '0', now() + interval '1 hour' from generate_series(1, 16) as n;

select count(*)
  from generate_series(1, :jobs, 1000) as first
 cross join lateral (
       select s3file.enqueue_many(
           buckets => array_agg('media'::text), tmp_keys => array_agg('tmp/s3file/' || md5(n::text) || '/photo.jpg'),
           etags => array_agg('"' || md5(n::text) || '"'), sizes => array_agg(123456::bigint),
           keys => array_agg('uploads/' || md5(n::text) || '.jpg'), content_types => array_agg('image/jpeg'::text),
           filenames => array_agg('photo.jpg'::text), fields => array_agg('photo'::text), owners => array_agg('user-' || n % 1000))
         from generate_series(first, least(first + 999, :jobs)) as n) as enqueued;
vacuum analyze s3file.upload, s3file.job;
