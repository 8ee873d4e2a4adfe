-- As many tweets are listed as matched as the day's count says; none where X counted.
select
    daily_counts.study,
    daily_counts.day,
    daily_counts.matches,
    coalesce(listed.tweets, 0) as listed
from daily_counts
left join (
    select
        study,
        day,
        count(*) as tweets
    from tweet_matches
    group by study, day
) as listed using (study, day)
where case when daily_counts.basis = 'counts' then 0 else daily_counts.matches end <> coalesce(listed.tweets, 0)
