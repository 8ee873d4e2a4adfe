-- One row a study and day: what was counted and what is believed since. The table behind every chart over time.
create or replace view study_days as
select
    posteriors.study,
    posteriors.day,
    posteriors.mean as share,
    posteriors.lower_50,
    posteriors.upper_50,
    posteriors.lower_95,
    posteriors.upper_95,
    posteriors.hdi_lower_50,
    posteriors.hdi_upper_50,
    posteriors.hdi_lower_95,
    posteriors.hdi_upper_95,
    posteriors.alpha,
    posteriors.beta,
    daily_counts.trials as day_trials,
    daily_counts.matches as day_matches,
    daily_counts.authors as day_authors,
    daily_counts.retweets as day_retweets,
    daily_counts.coverage as day_coverage,
    daily_counts.coverage_reason as day_coverage_reason,
    posteriors.trials,
    posteriors.matches,
    posteriors.days,
    posteriors.days_missing,
    posteriors.days_partial,
    posteriors.coverage,
    posteriors.synthetic,
    posteriors.rule_version,
    posteriors.published_at,
    posteriors.revision = first_value(posteriors.revision) over (
        partition by posteriors.study order by posteriors.published_at desc, posteriors.day desc
    ) as current,
    posteriors.basis,
    posteriors.days_sampled,
    daily_counts.basis as day_basis,
    daily_counts.sampled as day_sampled,
    daily_counts.population as day_population
from posteriors
-- counts of a new rule may be there before the share that they lead to
left join daily_counts
    on daily_counts.study = posteriors.study and daily_counts.day = posteriors.day and daily_counts.rule_version = posteriors.rule_version;

comment on view study_days is 'One row a study and day: what was counted on it, and the share that is believed at its end.';
comment on column study_days.study is 'The study.';
comment on column study_days.day is 'The local day of the study''s area.';
comment on column study_days.share is 'Posterior mean of the share at the end of the day.';
comment on column study_days.lower_50 is 'Central 50 % interval, lower end.';
comment on column study_days.upper_50 is 'Central 50 % interval, upper end.';
comment on column study_days.lower_95 is 'Central 95 % interval, lower end.';
comment on column study_days.upper_95 is 'Central 95 % interval, upper end.';
comment on column study_days.hdi_lower_50 is 'Shortest 50 % interval, lower end.';
comment on column study_days.hdi_upper_50 is 'Shortest 50 % interval, upper end.';
comment on column study_days.hdi_lower_95 is 'Shortest 95 % interval, lower end.';
comment on column study_days.hdi_upper_95 is 'Shortest 95 % interval, upper end.';
comment on column study_days.alpha is 'Posterior Beta(alpha, beta): alpha.';
comment on column study_days.beta is 'Posterior Beta(alpha, beta): beta.';
comment on column study_days.day_trials is 'n of this day alone: tweets that are not retweets.';
comment on column study_days.day_matches is 'k of this day alone.';
comment on column study_days.day_authors is 'Different known authors of this day.';
comment on column study_days.day_retweets is 'Retweets of this day, which do not count.';
comment on column study_days.day_coverage is 'Share of this day that was observed, 0 to 1; null where nobody can tell.';
comment on column study_days.day_coverage_reason is 'Why it is not 1 or not known.';
comment on column study_days.trials is 'Sum of n over all days that count.';
comment on column study_days.matches is 'Sum of k over all days that count.';
comment on column study_days.days is 'Days that count, from the study''s start.';
comment on column study_days.days_missing is 'Days from the study''s start that do not count because nothing current is stored of them.';
comment on column study_days.days_partial is 'Days that count but were observed only in part.';
comment on column study_days.coverage is 'Mean coverage of the days that count, where known.';
comment on column study_days.synthetic is 'True where a made-up day is among them.';
comment on column study_days.rule_version is 'The rule: studies.rule_version.';
comment on column study_days.published_at is 'When the share was published.';
comment on column study_days.current is 'False where the share is of an earlier rule, box or prior than the newest published one: another series.';
comment on column study_days.basis is 'tweets; sample where any day that counts is one; counts where they are X''s own.';
comment on column study_days.days_sampled is 'Days that count and are samples.';
comment on column study_days.day_basis is 'The same of this day alone: tweets, sample or counts.';
comment on column study_days.day_sampled is 'For a sample: how many different posts were received on this day; else null.';
comment on column study_days.day_population is 'For a sample: how many posts X said there are on this day in all; else null.';
