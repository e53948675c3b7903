-- More uploads, beside those that are there.
select count(*)
  from generate_series(1, :jobs, 1000) as first
 cross join lateral (
       select s3file.enqueue_many(
           buckets => array_agg('media'::text), tmp_keys => array_agg('tmp/s3file/' || gen_random_uuid() || '/photo.jpg'),
           etags => array_agg('"' || md5(n::text) || '"'), sizes => array_agg(123456::bigint),
           keys => array_agg('uploads/' || gen_random_uuid() || '.jpg'), content_types => array_agg('image/jpeg'::text),
           filenames => array_agg('photo.jpg'::text), fields => array_agg('photo'::text), owners => array_agg('user-' || n % 1000))
         from generate_series(first, least(first + 999, :jobs)) as n) as enqueued;
