-- s3file: no transaction
drop index concurrently if exists s3file.upload_error;
