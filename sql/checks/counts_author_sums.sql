-- A day's counts are the sums over its authors.
select
    daily_counts.study,
    daily_counts.day,
    daily_counts.trials,
    daily_counts.matches,
    coalesce(sums.trials, 0) as authors_trials,
    coalesce(sums.matches, 0) as authors_matches
from daily_counts
left join (
    select
        study,
        day,
        sum(trials) as trials,
        sum(matches) as matches,
        count(author_key) as authors
    from author_counts
    group by study, day
) as sums using (study, day)
where (daily_counts.trials, daily_counts.matches, coalesce(daily_counts.authors, 0))
    is distinct from (coalesce(sums.trials, 0), coalesce(sums.matches, 0), coalesce(sums.authors, 0))
    -- where X counted nobody knows the authors, elsewhere everybody does
    or (daily_counts.basis = 'counts') <> (daily_counts.authors is null)
