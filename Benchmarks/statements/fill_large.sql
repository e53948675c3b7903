-- Ten million uploads, straight into the tables, for the functions would take ten minutes: stored ones (state 2), or queued ones (state 0).
insert into s3file.upload
    (id, state, attempt, field, owner, filename, content_type, size, tmp_bucket, tmp_key, etag, tmp_deleted, bucket, key, stored_etag,
     created_at, updated_at, started_at, finished_at)
select encode(substring(int8send((extract(epoch from now()) * 1000)::bigint - (:rows - n) / 10) from 3)
              || decode(lpad(to_hex(28672 + n % 4096), 4, '0') || '8' || substr(md5(n::text), 1, 15), 'hex'), 'hex')::uuid,
       :state, :state / 2, 'photo', 'user-' || n % 100000, 'photo.jpg', 'image/jpeg', 123456, 'media',
       'tmp/s3file/' || md5('large ' || n) || '/photo.jpg', '"' || md5(n::text) || '"', :state = 2, 'media',
       'uploads/' || md5('large ' || n) || '.jpg', case when :state = 2 then '"' || md5(n::text) || '"' end,
       at, at, case when :state = 2 then at end, case when :state = 2 then at end
  from (select n, now() - (:rows - n) * interval '1 ms' as at from generate_series(1, :rows) as n) as s;

insert into s3file.job (upload_id, run_at)
select id, created_at from s3file.upload where state = 0 order by id;

vacuum analyze s3file.upload, s3file.job;
checkpoint;
