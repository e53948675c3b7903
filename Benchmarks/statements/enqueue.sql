-- One upload by our own function, as a web process sends it.
\set n random(1, 9000000000000000000)
\set owner :n % 1000
select * from s3file.enqueue(
    bucket => 'media', tmp_key => 'tmp/s3file/' || :n || '-a-folder-of-its-own/photo.jpg', etag => '"0123456789abcdef0123456789abcdef"',
    size => 123456, key => 'uploads/' || :n || '-of-16-digits.jpg', content_type => 'image/jpeg', filename => 'photo.jpg',
    field => 'photo', owner => 'user-' || :owner);
