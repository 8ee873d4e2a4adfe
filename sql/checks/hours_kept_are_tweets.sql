-- An hour says how many tweets were kept of it: so many are stored.
with begun as (
    select
        area,
        day,
        min(hour) as start
    from coverage_hours
    group by area, day
),
stored as (
    select
        tweets.area,
        tweets.day,
        floor(extract(epoch from tweets.created_at - begun.start) / 3600) as number,
        count(*) as tweets
    from tweets
    join begun using (area, day)
    group by 1, 2, 3
)
select
    coverage_hours.area,
    coverage_hours.day,
    coverage_hours.hour,
    coverage_hours.kept,
    coalesce(stored.tweets, 0) as tweets
from coverage_hours
join begun using (area, day)
left join stored
    on stored.area = coverage_hours.area and stored.day = coverage_hours.day
    and stored.number = floor(extract(epoch from coverage_hours.hour - begun.start) / 3600)
where coverage_hours.kept <> coalesce(stored.tweets, 0)
