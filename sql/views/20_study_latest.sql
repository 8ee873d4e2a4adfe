-- One row a study: the newest day's share by the study as it was last published, with the question. What a table of all studies shows.
create or replace view study_latest as
select distinct on (study_days.study)
    study_days.study,
    newest.question,
    newest.area,
    study_days.day,
    study_days.share,
    study_days.lower_50,
    study_days.upper_50,
    study_days.lower_95,
    study_days.upper_95,
    study_days.day_trials,
    study_days.day_matches,
    study_days.trials,
    study_days.matches,
    study_days.days,
    study_days.days_missing,
    study_days.days_partial,
    study_days.coverage,
    study_days.synthetic,
    study_days.published_at,
    study_days.basis,
    study_days.days_sampled,
    study_days.design_effect,
    study_days.borrowed,
    study_days.effective_trials,
    study_days.authors,
    study_days.top_weight,
    study_days.without_top,
    study_days.top_influence,
    study_days.naive_share,
    study_days.naive_lower_95,
    study_days.naive_upper_95,
    study_days.per_author_share,
    study_days.per_author_lower_95,
    study_days.per_author_upper_95,
    study_days.per_author_votes,
    study_days.day_share,
    study_days.expected_share,
    study_days.expected_lower_95,
    study_days.expected_upper_95,
    study_days.surprise,
    study_days.surprise_score,
    study_days.day_excluded,
    study_days.next_trials,
    study_days.next_lower_95,
    study_days.next_upper_95,
    study_days.prior_alpha,
    study_days.prior_beta,
    study_days.prior_areas,
    study_days.forget,
    study_days.forget_scores,
    study_days.window_days,
    study_days.author_cap
from study_days
left join lateral (
    select
        studies.question,
        studies.area
    from studies
    where studies.study = study_days.study and studies.rule_version = study_days.rule_version
    order by studies.first_seen desc, studies.version
    limit 1
) as newest on true
where study_days.current
order by study_days.study, study_days.day desc;

comment on view study_latest is 'One row a study: the share at the end of its newest day.';
comment on column study_latest.study is 'The study.';
comment on column study_latest.question is 'The question, as people wrote it.';
comment on column study_latest.area is 'The area it asks about.';
comment on column study_latest.day is 'The newest day with a posterior.';
comment on column study_latest.share is 'The share, corrected for authors who tweet a lot where design_effect is not null.';
comment on column study_latest.lower_50 is 'Central 50 % interval, lower end.';
comment on column study_latest.upper_50 is 'Central 50 % interval, upper end.';
comment on column study_latest.lower_95 is 'Central 95 % interval, lower end.';
comment on column study_latest.upper_95 is 'Central 95 % interval, upper end.';
comment on column study_latest.day_trials is 'n of the newest day alone.';
comment on column study_latest.day_matches is 'k of the newest day alone.';
comment on column study_latest.trials is 'Sum of n over all days that count.';
comment on column study_latest.matches is 'Sum of k over all days that count.';
comment on column study_latest.days is 'Days that count, from the study''s start.';
comment on column study_latest.days_missing is 'Days that do not count because nothing current is stored of them.';
comment on column study_latest.days_partial is 'Days that count but were observed only in part.';
comment on column study_latest.coverage is 'Mean coverage of the days that count, where known.';
comment on column study_latest.synthetic is 'True where a made-up day is among them.';
comment on column study_latest.published_at is 'When the share was published.';
comment on column study_latest.basis is 'tweets; sample where any day that counts is one; counts where they are X''s own.';
comment on column study_latest.days_sampled is 'Days that count and are samples.';
comment on column study_latest.design_effect is
    'How many times wider the variance of the share is than that of as many independent tweets; null where authors are unknown: then the share is not corrected for them.';
comment on column study_latest.borrowed is 'Part of the correlation within authors that was borrowed, from the days before or from what is usual: 0 none, 1 all.';
comment on column study_latest.effective_trials is 'So many independent tweets would be worth as much: weighted trials / design_effect.';
comment on column study_latest.authors is 'Different known authors of the days that weigh; null where X counted.';
comment on column study_latest.top_weight is 'Part of the weighted tweets written by the five busiest authors.';
comment on column study_latest.without_top is 'The share without the one author who moves it most.';
comment on column study_latest.top_influence is 'Part of the variance that this author makes; above 0.3 the interval rests on one person, and may be too narrow.';
comment on column study_latest.naive_share is 'The share as if all tweets were independent: what a plain Beta posterior would say.';
comment on column study_latest.naive_lower_95 is 'The same: central 95 % interval, lower end.';
comment on column study_latest.naive_upper_95 is 'The same: central 95 % interval, upper end.';
comment on column study_latest.per_author_share is
    'Another question, the share of authors: one vote an author; null where authors are unknown.';
comment on column study_latest.per_author_lower_95 is 'Share of authors: central 95 % interval, lower end.';
comment on column study_latest.per_author_upper_95 is 'Share of authors: central 95 % interval, upper end.';
comment on column study_latest.per_author_votes is
    'Votes that the share of authors rests on; an author''s vote fades with the author''s latest day.';
comment on column study_latest.day_share is 'k / n of the newest day alone, after the cap on authors where there is one; null where it has no tweets.';
comment on column study_latest.expected_share is 'What the days before said of the newest day''s own share.';
comment on column study_latest.expected_lower_95 is
    'Predictive 95 % interval of the newest day''s own share, from the days before, lower end.';
comment on column study_latest.expected_upper_95 is 'The same, upper end.';
comment on column study_latest.surprise is 'Probability of a day at least so far out, by that prediction, both sides; small is surprising.';
comment on column study_latest.surprise_score is 'The same as a signed normal score: above 0 for more matches than expected.';
comment on column study_latest.day_excluded is
    'Tweets of the newest day left out because the study excludes their author or client: neither n nor k.';
comment on column study_latest.next_trials is 'Number of tweets that the prediction for the next day assumes.';
comment on column study_latest.next_lower_95 is 'Predictive 95 % interval of the next day''s own share, lower end.';
comment on column study_latest.next_upper_95 is 'The same, upper end.';
comment on column study_latest.prior_alpha is 'The prior, Beta(prior_alpha, prior_beta).';
comment on column study_latest.prior_beta is 'The prior: beta.';
comment on column study_latest.prior_areas is
    'For a pooled prior: from how many other areas it was learnt (0: not yet, the study''s own); null for a set prior.';
comment on column study_latest.forget is 'Weight of a day against the day after it, set or chosen; 1 forgets nothing.';
comment on column study_latest.forget_scores is
    'Where it is chosen by itself: one-step-ahead log scores by candidate; null where it is set.';
comment on column study_latest.window_days is 'Only so many days weigh, the row''s own with them; null for all.';
comment on column study_latest.author_cap is 'An author''s tweets of one day counted as so many at most; null for no cap.';
