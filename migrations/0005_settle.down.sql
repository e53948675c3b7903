-- Takes the second half of the workers' functions back. Stop the workers before: they fail from now on, and lose nothing.

drop function
    s3file.settle,
    s3file.progress,
    s3file.put_back,
    s3file.give_back_others,
    s3file.reap,
    s3file.tmp_left,
    s3file.tmp_deleted,
    s3file.expire,
    s3file.prune,
    s3file.prune_events,
    s3file.grant_roles;
