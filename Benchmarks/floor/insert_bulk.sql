insert into indexed_upload (id, field, owner, filename, content_type, size, tmp_bucket, tmp_key, etag, bucket, key)
select gen_random_uuid(), 'photo', 'user-' || n % 1000, 'photo.jpg', 'image/jpeg', 123456, 'media',
       'tmp/s3file/' || gen_random_uuid() || '/photo.jpg', '"0123456789abcdef0123456789abcdef"', 'media',
       'uploads/' || gen_random_uuid() || '.jpg'
  from generate_series(1, 1000) as n;
