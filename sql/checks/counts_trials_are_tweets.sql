-- Where a day's counts and its tweets come of the same inputs, the trials and those left out are the stored tweets without the retweets.
select
    daily_counts.study,
    daily_counts.day,
    daily_counts.trials,
    daily_counts.excluded,
    stored.trials as stored
from daily_counts
join partitions as counts_marker
    on counts_marker.dataset = 'counts' and counts_marker.name = daily_counts.study and counts_marker.day = daily_counts.day
join (select distinct study, area from studies) as asked on asked.study = daily_counts.study
join partitions as tweets_marker
    on tweets_marker.dataset = 'tweets' and tweets_marker.name = asked.area and tweets_marker.day = daily_counts.day
    and tweets_marker.inputs = counts_marker.inputs
cross join lateral (
    select count(*) as trials
    from tweets
    where tweets.area = asked.area and tweets.day = daily_counts.day and not tweets.is_retweet
) as stored
where daily_counts.trials + coalesce(daily_counts.excluded, 0) <> stored.trials
