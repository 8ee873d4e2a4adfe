-- 0 <= k <= n, for days and for authors; authors are no more than trials.
select
    study,
    day,
    null as author_key,
    trials,
    matches
from daily_counts
where matches > trials or matches < 0 or authors > trials
union all
select
    study,
    day,
    author_key,
    trials,
    matches
from author_counts
where matches > trials or matches < 0 or trials = 0
