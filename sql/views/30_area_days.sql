-- One row an area and day: how many tweets of which evidence, and what share of the day was seen.
create or replace view area_days as
select
    coverage.area,
    coverage.day,
    coalesce(counted.tweets, 0) as tweets,
    coalesce(counted.retweets, 0) as retweets,
    coalesce(counted.authors, 0) as authors,
    coalesce(counted.point, 0) as point,
    coalesce(counted.place_within, 0) as place_within,
    coalesce(counted.place_centroid, 0) as place_centroid,
    coalesce(left_out.discarded, 0) as discarded,
    coverage.coverage,
    coverage.reason as coverage_reason,
    coverage.sources,
    coverage.requests,
    coverage.synthetic,
    coverage.mode,
    coverage.expected,
    coverage.fetched
from coverage
left join lateral (
    select
        count(*) as tweets,
        count(*) filter (where tweets.is_retweet) as retweets,
        count(distinct tweets.author_key) as authors,
        count(*) filter (where tweets.evidence = 'point') as point,
        count(*) filter (where tweets.evidence = 'place_within') as place_within,
        count(*) filter (where tweets.evidence = 'place_centroid') as place_centroid
    from tweets
    where tweets.area = coverage.area and tweets.day = coverage.day
) as counted on true
left join lateral (
    select sum(discards.rows)::bigint as discarded
    from discards
    where discards.area = coverage.area and discards.day = coverage.day
) as left_out on true;

comment on view area_days is 'One row an area and day: the tweets that are stored, by evidence, and the share of the day that was seen.';
comment on column area_days.area is 'The area.';
comment on column area_days.day is 'Its local day.';
comment on column area_days.tweets is 'Tweets stored, retweets among them.';
comment on column area_days.retweets is 'Retweets among them.';
comment on column area_days.authors is 'Different known authors.';
comment on column area_days.point is 'Tweets with an exact point inside.';
comment on column area_days.place_within is 'Tweets whose place lies wholly inside.';
comment on column area_days.place_centroid is 'Tweets whose place lies with its centre inside.';
comment on column area_days.discarded is 'Records left out, all reasons together: see discards.';
comment on column area_days.coverage is 'Share of the day observed, 0 to 1; null where nobody can tell.';
comment on column area_days.coverage_reason is 'Why it is not 1 or not known.';
comment on column area_days.sources is 'Where the tweets came from.';
comment on column area_days.requests is 'Requests sent to the API for this day.';
comment on column area_days.synthetic is 'True where they come from the sandbox''s made-up city.';
comment on column area_days.mode is 'whole: all tweets of the hours observed were asked for; sample: those of time slices drawn at random.';
comment on column area_days.expected is 'Posts that X''s counts endpoint said there are; null where it was not asked or did not answer.';
comment on column area_days.fetched is 'Different posts received from X; null for archives alone.';
