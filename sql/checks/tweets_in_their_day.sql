-- A tweet's day is the local day of its area (by one of the time zones the area ever had).
select
    tweets.area,
    tweets.day,
    tweets.tweet_id,
    tweets.created_at
from tweets
where not exists (
    select 1
    from areas
    where areas.area = tweets.area and (tweets.created_at at time zone areas.timezone)::date = tweets.day
)
