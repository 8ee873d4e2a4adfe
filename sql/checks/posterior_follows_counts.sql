-- Where all days weigh alike, a row's sums are those of the counts of its days. (Not where counts were loaded after it: it waits to be
-- made again; nor where some days do not count, being of an older rule, box or source.)
select
    posteriors.study,
    posteriors.day,
    posteriors.trials,
    posteriors.matches,
    sums.trials as counted,
    sums.matches as counted_matches
from posteriors
join partitions as marker
    on marker.dataset = 'posteriors' and marker.name = posteriors.study and marker.day = posteriors.day
cross join lateral (
    select
        sum(daily_counts.trials) as trials,
        sum(daily_counts.matches) as matches,
        count(*) as days,
        max(loaded.loaded_at) as loaded_at
    from daily_counts
    join partitions as loaded
        on loaded.dataset = 'counts' and loaded.name = daily_counts.study and loaded.day = daily_counts.day
    where daily_counts.study = posteriors.study
        and daily_counts.day between posteriors.day - (posteriors.days + posteriors.days_missing - 1)::integer and posteriors.day
) as sums
where sums.days = posteriors.days and sums.loaded_at <= marker.loaded_at
    and (posteriors.trials, posteriors.matches) is distinct from (sums.trials, sums.matches)
