-- As many tweets are listed as matched as the day's count says.
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
where daily_counts.matches <> coalesce(listed.tweets, 0)
