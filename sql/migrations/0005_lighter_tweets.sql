-- Of the indexes of tweets what somebody asks by: they were more than half of what a load cost the server.

-- nothing of ours looks an author up over all areas and days, and keys in no order dirty a page each;
-- where a dashboard does: create index on tweets (author_key)
drop index if exists tweets_author;

-- five tweets in six have no point, and nobody asks for those by their point
drop index if exists tweets_place;
create index tweets_place on tweets (longitude, latitude) where longitude is not null;
