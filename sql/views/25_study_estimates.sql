-- One row a study, day and estimate: the three ways to read the same counts, side by side, each with the question it answers.
create or replace view study_estimates as
select
    study,
    day,
    'clustered' as estimate,
    'share of tweets, corrected for authors who tweet a lot' as question,
    true as headline,
    share,
    lower_95,
    upper_95,
    effective_trials as worth,
    synthetic,
    basis,
    current
from study_days
where design_effect is not null
union all
select
    study,
    day,
    'naive' as estimate,
    'share of tweets, as if all were independent' as question,
    -- where authors are unknown, and in rows from before version 2, the headline is this one
    study_days.design_effect is null as headline,
    coalesce(naive_share, share) as share,
    coalesce(study_days.naive_lower_95, study_days.lower_95) as lower_95,
    coalesce(study_days.naive_upper_95, study_days.upper_95) as upper_95,
    coalesce(posteriors.naive_alpha + posteriors.naive_beta, study_days.alpha + study_days.beta)
        - study_days.prior_alpha - study_days.prior_beta as worth,
    study_days.synthetic,
    study_days.basis,
    current
from study_days
join posteriors using (study, day)
union all
select
    study,
    day,
    'per_author' as estimate,
    'share of authors, one vote each: another question' as question,
    false as headline,
    per_author_share as share,
    per_author_lower_95 as lower_95,
    per_author_upper_95 as upper_95,
    per_author_votes as worth,
    synthetic,
    basis,
    current
from study_days
where per_author_share is not null;

comment on view study_estimates is 'One row a study, day and estimate: clustered, naive and per_author, to be shown side by side and never mixed.';
comment on column study_estimates.study is 'The study.';
comment on column study_estimates.day is 'The local day of the study''s area.';
comment on column study_estimates.estimate is 'clustered, naive or per_author. There is no clustered one where authors are unknown.';
comment on column study_estimates.question is 'What it is an answer to.';
comment on column study_estimates.headline is 'True for the one that study_days.share shows.';
comment on column study_estimates.share is 'The share at the end of the day.';
comment on column study_estimates.lower_95 is 'Central 95 % interval, lower end.';
comment on column study_estimates.upper_95 is 'Central 95 % interval, upper end.';
comment on column study_estimates.worth is 'What it rests on, after forgetting: independent tweets (clustered), tweets (naive), votes (per_author).';
comment on column study_estimates.synthetic is 'True where a made-up day is among those that count.';
comment on column study_estimates.basis is 'tweets; sample where any day that counts is one; counts where they are X''s own.';
comment on column study_estimates.current is 'False where the share is of an earlier rule, box or prior than the newest published one.';
