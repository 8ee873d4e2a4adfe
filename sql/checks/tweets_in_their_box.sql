-- A tweet held to be inside by its point has it inside the box (one of those the area ever had); edges belong to it.
-- (Points are null once [content] retention_days have passed.)
select
    tweets.area,
    tweets.day,
    tweets.tweet_id,
    tweets.longitude,
    tweets.latitude
from tweets
where tweets.evidence = 'point' and tweets.longitude is not null and not exists (
    select 1
    from areas
    where areas.area = tweets.area
        and tweets.latitude between areas.south and areas.north
        and case
            when areas.west <= areas.east then tweets.longitude between areas.west and areas.east
            else tweets.longitude >= areas.west or tweets.longitude <= areas.east
        end
)
