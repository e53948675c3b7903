truncate job;
insert into job (payload)
select '{"from": "tmp/0123456789abcdef", "to": "upload/0123456789abcdef"}' from generate_series(1, :jobs);
vacuum analyze job;
