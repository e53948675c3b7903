-- The record of what was applied: made when there is none, and brought from older shapes to this one. Safe to repeat.
-- `s3file migrate` and up.psql run it, in a transaction and under their lock, before they write to it.
do $$
begin
    if to_regnamespace('s3file') is null then
        create schema s3file;
    end if;
    if to_regclass('s3file.schema_migration') is null then
        create table s3file.schema_migration (
            version    bigint      primary key,
            name       text        not null,
            checksum   text        not null,
            applied_at timestamptz not null default now()
        );
    end if;
    -- What binaries of version 1 do not know has a default, so that they can go on writing rows.
    if not exists (select from pg_attribute where attrelid = 's3file.schema_migration'::regclass and attname = 'breaking') then
        alter table s3file.schema_migration
            add column post_checksum   text,
            add column post_applied_at timestamptz,
            add column down_checksum   text,
            add column breaking        boolean not null default false;
        comment on table s3file.schema_migration is 'What s3file migrate and up.psql have applied: one row a version.';
        comment on column s3file.schema_migration.checksum is 'SHA-256 of NNNN_name.sql as it was applied.';
        comment on column s3file.schema_migration.post_applied_at is 'When NNNN_name.post.sql was applied; null while it waits, or when there is none.';
        comment on column s3file.schema_migration.down_checksum is 'SHA-256 of NNNN_name.down.sql when the version was applied.';
        comment on column s3file.schema_migration.breaking is 'Code that does not know this version must not work with the database.';
        -- Every process looks here whether it may start.
        grant select on s3file.schema_migration to public;
    end if;
end
$$;
