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
    daily_counts.population as day_population,
    posteriors.design_effect,
    posteriors.borrowed,
    posteriors.effective_trials,
    posteriors.authors,
    posteriors.top_weight,
    posteriors.without_top,
    posteriors.top_influence,
    posteriors.naive_mean as naive_share,
    posteriors.naive_lower_95,
    posteriors.naive_upper_95,
    posteriors.per_author_mean as per_author_share,
    posteriors.per_author_lower_95,
    posteriors.per_author_upper_95,
    posteriors.per_author_votes,
    case
        when posteriors.author_cap is null then daily_counts.matches::double precision / nullif(daily_counts.trials, 0)
        -- numeric, so that no order of adding shows
        else (
            select (sum(matches * kept / trials) / nullif(sum(kept), 0))::double precision
            from author_counts
            cross join lateral (
                select (case when author_key is null then trials else least(trials, posteriors.author_cap) end)::numeric as kept
            ) as each
            where author_counts.study = daily_counts.study and author_counts.day = daily_counts.day and trials > 0
        )
    end as day_share,
    posteriors.expected_mean as expected_share,
    posteriors.expected_lower_95,
    posteriors.expected_upper_95,
    posteriors.surprise,
    posteriors.surprise_score,
    daily_counts.excluded as day_excluded,
    posteriors.next_trials,
    posteriors.next_lower_95,
    posteriors.next_upper_95,
    posteriors.prior_alpha,
    posteriors.prior_beta,
    posteriors.prior_areas,
    posteriors.forget,
    posteriors.forget_scores::jsonb as forget_scores,
    posteriors.window_days,
    posteriors.author_cap
from posteriors
-- counts of a new rule may be there before the share that they lead to
left join daily_counts
    on daily_counts.study = posteriors.study and daily_counts.day = posteriors.day and daily_counts.rule_version = posteriors.rule_version;

comment on view study_days is 'One row a study and day: what was counted on it, and the share that is believed at its end.';
comment on column study_days.study is 'The study.';
comment on column study_days.day is 'The local day of the study''s area.';
comment on column study_days.share is 'The share at the end of the day, corrected for authors who tweet a lot where design_effect is not null.';
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
comment on column study_days.design_effect is
    'How many times wider the variance of the share is than that of as many independent tweets; null where authors are unknown: then the share is not corrected for them.';
comment on column study_days.borrowed is 'Part of the correlation within authors that was borrowed, from the days before or from what is usual: 0 none, 1 all.';
comment on column study_days.effective_trials is 'So many independent tweets would be worth as much: weighted trials / design_effect.';
comment on column study_days.authors is 'Different known authors of the days that weigh; null where X counted.';
comment on column study_days.top_weight is 'Part of the weighted tweets written by the five busiest authors.';
comment on column study_days.without_top is 'The share without the one author who moves it most.';
comment on column study_days.top_influence is 'Part of the variance that this author makes; above 0.3 the interval rests on one person, and may be too narrow.';
comment on column study_days.naive_share is 'The share as if all tweets were independent: what a plain Beta posterior would say.';
comment on column study_days.naive_lower_95 is 'The same: central 95 % interval, lower end.';
comment on column study_days.naive_upper_95 is 'The same: central 95 % interval, upper end.';
comment on column study_days.per_author_share is
    'Another question, the share of authors: one vote an author; null where authors are unknown.';
comment on column study_days.per_author_lower_95 is 'Share of authors: central 95 % interval, lower end.';
comment on column study_days.per_author_upper_95 is 'Share of authors: central 95 % interval, upper end.';
comment on column study_days.per_author_votes is
    'Votes that the share of authors rests on; an author''s vote fades with the author''s latest day.';
comment on column study_days.day_share is 'k / n of this day alone, after the cap on authors where there is one; null where it has no tweets.';
comment on column study_days.expected_share is 'What the days before said of this day''s own share.';
comment on column study_days.expected_lower_95 is 'Predictive 95 % interval of this day''s own share, from the days before, lower end.';
comment on column study_days.expected_upper_95 is 'The same, upper end.';
comment on column study_days.surprise is 'Probability of a day at least so far out, by that prediction, both sides; small is surprising.';
comment on column study_days.surprise_score is 'The same as a signed normal score: above 0 for more matches than expected.';
comment on column study_days.day_excluded is
    'Tweets of this day left out because the study excludes their author or client: neither n nor k.';
comment on column study_days.next_trials is 'Number of tweets that the prediction for the next day assumes.';
comment on column study_days.next_lower_95 is 'Predictive 95 % interval of the next day''s own share, lower end.';
comment on column study_days.next_upper_95 is 'The same, upper end.';
comment on column study_days.prior_alpha is 'The prior, Beta(prior_alpha, prior_beta).';
comment on column study_days.prior_beta is 'The prior: beta.';
comment on column study_days.prior_areas is
    'For a pooled prior: from how many other areas it was learnt (0: not yet, the study''s own); null for a set prior.';
comment on column study_days.forget is 'Weight of a day against the day after it, set or chosen; 1 forgets nothing.';
comment on column study_days.forget_scores is 'Where it is chosen by itself: one-step-ahead log scores by candidate; null where it is set.';
comment on column study_days.window_days is 'Only so many days weigh, the row''s own with them; null for all.';
comment on column study_days.author_cap is 'An author''s tweets of one day counted as so many at most; null for no cap.';
