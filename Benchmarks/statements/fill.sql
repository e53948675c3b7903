-- Uploads by the bulk function, as an app would enqueue them; and a lease for each connection of pgbench.
truncate s3file.upload, s3file.job, s3file.event, s3file.tmp_deletion, s3file.worker restart identity;
insert into s3file.worker (host, pid, version, expires_at)
select 'pgbench', n, '0', now() + interval '1 hour' from generate_series(1, 16) as n;
\ir fill_more.sql
vacuum analyze s3file.upload, s3file.job;
