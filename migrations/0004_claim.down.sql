-- Takes the first half of the workers' functions back.

drop function
    s3file.register,
    s3file.beat,
    s3file.unregister,
    s3file.take_turn,
    s3file.lanes,
    s3file.fair_turn,
    s3file.claim;
