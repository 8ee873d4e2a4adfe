-- Everything ever published of a study and day: "what did we say on the 5th, and why did it change?"
create or replace view posterior_publications as
select
    study,
    day,
    published_at,
    replaced_at,
    reason,
    mean as share,
    lower_95,
    upper_95,
    trials,
    matches,
    days,
    rule_version,
    basis,
    design_effect,
    borrowed,
    effective_trials,
    authors,
    top_weight,
    without_top,
    top_influence,
    naive_mean as naive_share,
    naive_lower_95,
    naive_upper_95,
    per_author_mean as per_author_share,
    per_author_lower_95,
    per_author_upper_95,
    expected_mean as expected_share,
    expected_lower_95,
    expected_upper_95,
    surprise,
    surprise_score,
    alpha,
    beta,
    prior_alpha,
    prior_beta,
    prior_areas,
    forget,
    window_days,
    author_cap,
    run_id,
    replaced_by
from posterior_history
union all
select
    study,
    day,
    published_at,
    null as replaced_at,
    null as reason,
    mean as share,
    lower_95,
    upper_95,
    trials,
    matches,
    days,
    rule_version,
    basis,
    design_effect,
    borrowed,
    effective_trials,
    authors,
    top_weight,
    without_top,
    top_influence,
    naive_mean as naive_share,
    naive_lower_95,
    naive_upper_95,
    per_author_mean as per_author_share,
    per_author_lower_95,
    per_author_upper_95,
    expected_mean as expected_share,
    expected_lower_95,
    expected_upper_95,
    surprise,
    surprise_score,
    alpha,
    beta,
    prior_alpha,
    prior_beta,
    prior_areas,
    forget,
    window_days,
    author_cap,
    run_id,
    null as replaced_by
from posteriors;

comment on view posterior_publications is 'Every share ever published: valid from published_at until replaced_at.';
comment on column posterior_publications.study is 'The study.';
comment on column posterior_publications.day is 'The day that the share is about.';
comment on column posterior_publications.published_at is 'From when this was what we said.';
comment on column posterior_publications.replaced_at is 'Until when; null: still.';
comment on column posterior_publications.reason is 'Why it was replaced; null: it was not.';
comment on column posterior_publications.share is 'The share, corrected for authors who tweet a lot where design_effect is not null.';
comment on column posterior_publications.lower_95 is 'Central 95 % interval, lower end.';
comment on column posterior_publications.upper_95 is 'Central 95 % interval, upper end.';
comment on column posterior_publications.trials is 'Sum of n over the days that counted.';
comment on column posterior_publications.matches is 'Sum of k over the days that counted.';
comment on column posterior_publications.days is 'Days that counted.';
comment on column posterior_publications.rule_version is 'The rule: studies.rule_version.';
comment on column posterior_publications.basis is 'What it was made of: tweets; sample where any of its days was one; counts where they were X''s own.';
comment on column posterior_publications.design_effect is
    'How many times wider the variance of the share is than that of as many independent tweets; null where authors are unknown: then the share is not corrected for them.';
comment on column posterior_publications.borrowed is
    'Part of the correlation within authors that was borrowed, from the days before or from what is usual: 0 none, 1 all.';
comment on column posterior_publications.effective_trials is
    'So many independent tweets would be worth as much: weighted trials / design_effect.';
comment on column posterior_publications.authors is 'Different known authors of the days that weighed; null where X counted.';
comment on column posterior_publications.top_weight is 'Part of the weighted tweets written by the five busiest authors.';
comment on column posterior_publications.without_top is 'The share without the one author who moves it most.';
comment on column posterior_publications.top_influence is 'Part of the variance that this author makes.';
comment on column posterior_publications.naive_share is 'The share as if all tweets were independent.';
comment on column posterior_publications.naive_lower_95 is 'The same: central 95 % interval, lower end.';
comment on column posterior_publications.naive_upper_95 is 'The same: central 95 % interval, upper end.';
comment on column posterior_publications.per_author_share is
    'Another question, the share of authors: one vote an author; null where authors are unknown.';
comment on column posterior_publications.per_author_lower_95 is 'Share of authors: central 95 % interval, lower end.';
comment on column posterior_publications.per_author_upper_95 is 'Share of authors: central 95 % interval, upper end.';
comment on column posterior_publications.expected_share is 'What the days before said of this day''s own share.';
comment on column posterior_publications.expected_lower_95 is
    'Predictive 95 % interval of this day''s own share, from the days before, lower end.';
comment on column posterior_publications.expected_upper_95 is 'The same, upper end.';
comment on column posterior_publications.surprise is
    'Probability of a day at least so far out, by that prediction, both sides; small is surprising.';
comment on column posterior_publications.surprise_score is 'The same as a signed normal score: above 0 for more matches than expected.';
comment on column posterior_publications.alpha is 'The share is believed to be Beta(alpha, beta): alpha.';
comment on column posterior_publications.beta is 'The share is believed to be Beta(alpha, beta): beta.';
comment on column posterior_publications.prior_alpha is 'The prior, Beta(prior_alpha, prior_beta).';
comment on column posterior_publications.prior_beta is 'The prior: beta.';
comment on column posterior_publications.prior_areas is
    'For a pooled prior: from how many other areas it was learnt (0: not yet, the study''s own); null for a set prior.';
comment on column posterior_publications.forget is 'Weight of a day against the day after it, set or chosen; 1 forgets nothing.';
comment on column posterior_publications.window_days is 'Only so many days weighed, the row''s own with them; null for all.';
comment on column posterior_publications.author_cap is 'An author''s tweets of one day counted as so many at most; null for no cap.';
comment on column posterior_publications.run_id is 'The run that published it: runs.run_id; null outside a run.';
comment on column posterior_publications.replaced_by is 'The run that replaced it; null: it still stands, or it was outside a run.';
