\set n random(1, 9000000000000000000)
\set owner :n % 1000
insert into upload (id, field, owner, filename, content_type, size, tmp_bucket, tmp_key, etag, bucket, key)
values (gen_random_uuid(), 'photo', 'user-' || :owner, 'photo.jpg', 'image/jpeg', 123456, 'media',
        'tmp/s3file/' || :n || '-a-folder-of-its-own/photo.jpg', '"0123456789abcdef0123456789abcdef"', 'media',
        'uploads/' || :n || '-of-16-digits.jpg');
