-- s3file: no transaction
-- What went wrong, by its code. Stored uploads never had one, or have none any more: an end without an error changes no column of this index, and
-- so stays an update in place. `state` must not be in it, nor in its condition, for every end changes that.
drop index concurrently if exists s3file.upload_error;
create index concurrently upload_error on s3file.upload (error_code, id) where error_code not in ('expired', 'form_refused');
