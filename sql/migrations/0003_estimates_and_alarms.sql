-- Three estimates a study and day, what they rest on, what was expected; studies that forget by themselves; alarms, and who was told.

alter table daily_counts add column excluded bigint;
-- nobody could be left out before
update daily_counts set excluded = 0 where basis <> 'counts';
comment on column daily_counts.excluded is 'Tweets left out because the study excludes their author or client: neither n nor k; null where X counted.';

alter table studies
    alter column forget drop not null,
    add column window_days integer,
    add column author_cap bigint,
    add column prior_said text,
    add column excluded json;
comment on column studies.forget is 'Weight of a day against the day after it; null where it is chosen by itself ("auto").';
comment on column studies.window_days is 'Only so many days count; null for all.';
comment on column studies.author_cap is 'An author''s tweets of one day count as so many at most; null for no cap.';
comment on column studies.prior_said is 'The prior as it is set: by parameters, mean and strength, range, or pool.';
comment on column studies.excluded is 'How many authors, and which clients, are left out; null where none.';

alter table posteriors
    add column window_days integer,
    add column forget_scores text,
    add column prior_areas integer,
    add column author_cap bigint,
    add column design_effect double precision,
    add column borrowed double precision,
    add column effective_trials double precision,
    add column effective_matches double precision,
    add column authors bigint,
    add column top_weight double precision,
    add column without_top double precision,
    add column top_influence double precision,
    add column naive_alpha double precision,
    add column naive_beta double precision,
    add column naive_mean double precision,
    add column naive_lower_95 double precision,
    add column naive_upper_95 double precision,
    add column per_author_votes double precision,
    add column per_author_mean double precision,
    add column per_author_lower_95 double precision,
    add column per_author_upper_95 double precision,
    add column expected_mean double precision,
    add column expected_lower_95 double precision,
    add column expected_upper_95 double precision,
    add column surprise double precision,
    add column surprise_score double precision,
    add column next_trials bigint,
    add column next_lower_95 double precision,
    add column next_upper_95 double precision;
comment on table posteriors is
    'What is believed of a study''s share at the end of a day, from the prior and all stored counts up to it. Beta(alpha, beta) is the headline: clustered, that is, corrected for authors who tweet a lot.';
comment on column posteriors.alpha is 'Beta(alpha, beta): prior_alpha + weighted matches / design_effect. Rows from before version 2 are naive.';
comment on column posteriors.beta is 'Beta(alpha, beta): prior_beta + weighted other tweets / design_effect.';
comment on column posteriors.mean is 'alpha / (alpha + beta): the share, clustered.';
comment on column posteriors.forget is 'Weight of a day against the day after it, set or chosen; 1 forgets nothing.';
comment on column posteriors.window_days is 'Only so many days weigh, the row''s own with them; null for all.';
comment on column posteriors.forget_scores is 'For forget = "auto": one-step-ahead log scores by candidate, JSON; null where forget is set.';
comment on column posteriors.prior_areas is 'For a pooled prior: from how many other areas it was learnt (0: not yet, the study''s own); null for a set prior.';
comment on column posteriors.author_cap is 'An author''s tweets of one day counted as so many at most; null for no cap.';
comment on column posteriors.design_effect is
    'How many times wider the variance of the share is than that of as many independent tweets; null where authors are unknown.';
comment on column posteriors.borrowed is 'Part of the correlation within authors that was borrowed, from the days before or from what is usual: 0 none, 1 all.';
comment on column posteriors.effective_trials is 'Weighted trials / design_effect: so many independent tweets would be worth as much.';
comment on column posteriors.effective_matches is 'Weighted matches / design_effect: alpha is prior_alpha and these.';
comment on column posteriors.authors is 'Different known authors of the days that weigh; null where X counted.';
comment on column posteriors.top_weight is 'Part of the weighted trials written by the five busiest authors.';
comment on column posteriors.without_top is 'The share without the one author who moves it most.';
comment on column posteriors.top_influence is 'Part of the variance that this author makes; above 0.3 the interval rests on one person, and may be too narrow.';
comment on column posteriors.naive_alpha is 'The naive estimate, as if all tweets were independent: alpha.';
comment on column posteriors.naive_beta is 'The naive estimate: beta.';
comment on column posteriors.naive_mean is 'The naive estimate: share.';
comment on column posteriors.naive_lower_95 is 'The naive estimate: central 95 % interval, lower end.';
comment on column posteriors.naive_upper_95 is 'The naive estimate: central 95 % interval, upper end.';
comment on column posteriors.per_author_votes is 'Another question, the share of authors: one vote an author, weighted by the latest day; null where authors are unknown.';
comment on column posteriors.per_author_mean is 'Share of authors: mean; each votes with the share of their own tweets that match.';
comment on column posteriors.per_author_lower_95 is 'Share of authors: central 95 % interval, lower end.';
comment on column posteriors.per_author_upper_95 is 'Share of authors: central 95 % interval, upper end.';
comment on column posteriors.expected_mean is 'What the days before said of this day''s own share; null where it has no tweets.';
comment on column posteriors.expected_lower_95 is 'Predictive 95 % interval of this day''s own share, from the days before, lower end.';
comment on column posteriors.expected_upper_95 is 'The same, upper end.';
comment on column posteriors.surprise is 'Probability of a day at least so far out, by that prediction, both sides; small is surprising.';
comment on column posteriors.surprise_score is 'The same as a signed normal score: above 0 for more matches than expected.';
comment on column posteriors.next_trials is 'Number of tweets that the prediction for the next day assumes.';
comment on column posteriors.next_lower_95 is 'Predictive 95 % interval of the next day''s own share, lower end.';
comment on column posteriors.next_upper_95 is 'Predictive 95 % interval of the next day''s own share, upper end.';

-- what was published before has the same columns
alter table posterior_history
    add column window_days integer,
    add column forget_scores text,
    add column prior_areas integer,
    add column author_cap bigint,
    add column design_effect double precision,
    add column borrowed double precision,
    add column effective_trials double precision,
    add column effective_matches double precision,
    add column authors bigint,
    add column top_weight double precision,
    add column without_top double precision,
    add column top_influence double precision,
    add column naive_alpha double precision,
    add column naive_beta double precision,
    add column naive_mean double precision,
    add column naive_lower_95 double precision,
    add column naive_upper_95 double precision,
    add column per_author_votes double precision,
    add column per_author_mean double precision,
    add column per_author_lower_95 double precision,
    add column per_author_upper_95 double precision,
    add column expected_mean double precision,
    add column expected_lower_95 double precision,
    add column expected_upper_95 double precision,
    add column surprise double precision,
    add column surprise_score double precision,
    add column next_trials bigint,
    add column next_lower_95 double precision,
    add column next_upper_95 double precision;
comment on column posterior_history.alpha is
    'Beta(alpha, beta): prior_alpha + weighted matches / design_effect. Rows from before version 2 are naive.';
comment on column posterior_history.beta is 'Beta(alpha, beta): prior_beta + weighted other tweets / design_effect.';
comment on column posterior_history.mean is 'alpha / (alpha + beta): the share, clustered.';
comment on column posterior_history.forget is 'Weight of a day against the day after it, set or chosen; 1 forgets nothing.';
comment on column posterior_history.window_days is 'Only so many days weigh, the row''s own with them; null for all.';
comment on column posterior_history.forget_scores is
    'For forget = "auto": one-step-ahead log scores by candidate, JSON; null where forget is set.';
comment on column posterior_history.prior_areas is
    'For a pooled prior: from how many other areas it was learnt (0: not yet, the study''s own); null for a set prior.';
comment on column posterior_history.author_cap is 'An author''s tweets of one day counted as so many at most; null for no cap.';
comment on column posterior_history.design_effect is
    'How many times wider the variance of the share is than that of as many independent tweets; null where authors are unknown.';
comment on column posterior_history.borrowed is
    'Part of the correlation within authors that was borrowed, from the days before or from what is usual: 0 none, 1 all.';
comment on column posterior_history.effective_trials is 'Weighted trials / design_effect: so many independent tweets would be worth as much.';
comment on column posterior_history.effective_matches is 'Weighted matches / design_effect: alpha is prior_alpha and these.';
comment on column posterior_history.authors is 'Different known authors of the days that weigh; null where X counted.';
comment on column posterior_history.top_weight is 'Part of the weighted trials written by the five busiest authors.';
comment on column posterior_history.without_top is 'The share without the one author who moves it most.';
comment on column posterior_history.top_influence is 'Part of the variance that this author makes; above 0.3 the interval rests on one person, and may be too narrow.';
comment on column posterior_history.naive_alpha is 'The naive estimate, as if all tweets were independent: alpha.';
comment on column posterior_history.naive_beta is 'The naive estimate: beta.';
comment on column posterior_history.naive_mean is 'The naive estimate: share.';
comment on column posterior_history.naive_lower_95 is 'The naive estimate: central 95 % interval, lower end.';
comment on column posterior_history.naive_upper_95 is 'The naive estimate: central 95 % interval, upper end.';
comment on column posterior_history.per_author_votes is
    'Another question, the share of authors: one vote an author, weighted by the latest day; null where authors are unknown.';
comment on column posterior_history.per_author_mean is 'Share of authors: mean; each votes with the share of their own tweets that match.';
comment on column posterior_history.per_author_lower_95 is 'Share of authors: central 95 % interval, lower end.';
comment on column posterior_history.per_author_upper_95 is 'Share of authors: central 95 % interval, upper end.';
comment on column posterior_history.expected_mean is 'What the days before said of this day''s own share; null where it has no tweets.';
comment on column posterior_history.expected_lower_95 is 'Predictive 95 % interval of this day''s own share, from the days before, lower end.';
comment on column posterior_history.expected_upper_95 is 'The same, upper end.';
comment on column posterior_history.surprise is
    'Probability of a day at least so far out, by that prediction, both sides; small is surprising.';
comment on column posterior_history.surprise_score is 'The same as a signed normal score: above 0 for more matches than expected.';
comment on column posterior_history.next_trials is 'Number of tweets that the prediction for the next day assumes.';
comment on column posterior_history.next_lower_95 is 'Predictive 95 % interval of the next day''s own share, lower end.';
comment on column posterior_history.next_upper_95 is 'Predictive 95 % interval of the next day''s own share, upper end.';

-- the digest of a night is made like its page
alter table partitions drop constraint partitions_dataset_check;
alter table partitions
    add constraint partitions_dataset_check check (dataset in ('tweets', 'counts', 'posteriors', 'report', 'digest'));
comment on column partitions.dataset is 'tweets, counts, posteriors, report or digest.';
comment on column partitions.name is 'The area (tweets), the study (counts, posteriors), or empty (report, digest).';
comment on column partitions.rows is 'Rows that were loaded: of tweets, of author_counts, or 1 for a posterior or report; alarms of a digest.';

create table alarms (
    kind text not null check (kind in ('share', 'volume', 'coverage')),
    subject text not null,
    day date not null,
    area text not null,
    direction text not null check (direction in ('up', 'down')),
    observed double precision,
    expected_lower double precision,
    expected_upper double precision,
    score double precision not null,
    threshold double precision not null,
    per_year double precision not null,
    nights integer not null,
    past integer not null,
    calibrated boolean not null,
    parts text,
    said text not null,
    synthetic boolean not null,
    raised_at timestamptz not null default clock_timestamp(),
    run_id text,
    primary key (kind, subject, day)
);
comment on table alarms is 'Shifts that were found: one row where an episode begins, kept though later counts may not show it any more.';
comment on column alarms.kind is 'share: of a study; volume: how many tweets; coverage: how much of the day was observed.';
comment on column alarms.subject is 'The study (share, and volume where X counts); else the area.';
comment on column alarms.day is 'The local day on which it shows.';
comment on column alarms.area is 'The area.';
comment on column alarms.direction is 'up or down.';
comment on column alarms.observed is 'The share, number of tweets or coverage of that day.';
comment on column alarms.expected_lower is 'What was expected, lower end: 95 % predictive interval of a share; usual range of the others.';
comment on column alarms.expected_upper is 'The same, upper end.';
comment on column alarms.score is 'How far out the last nights are, by rank among the past ones.';
comment on column alarms.threshold is 'What the score had to pass.';
comment on column alarms.per_year is 'The promise: at most so many false alarms a year, of this subject and kind.';
comment on column alarms.nights is 'How many of the last nights show it best: 1, 2 or 3; 0 for a jump farther than anything before.';
comment on column alarms.past is 'Past nights that it was judged by.';
comment on column alarms.calibrated is 'False while the past is short (under 60 nights).';
comment on column alarms.parts is 'Why it moved, JSON: parts that add up to the change; null where not known.';
comment on column alarms.said is 'The alarm in words.';
comment on column alarms.synthetic is 'True where any of it comes from the sandbox''s made-up city.';
comment on column alarms.raised_at is 'When it was found.';
comment on column alarms.run_id is 'The run that found it: task_runs.run_id.';

create table alarm_deliveries (
    kind text not null,
    subject text not null,
    day date not null,
    channel text not null check (channel in ('webhook', 'mail')),
    status text not null check (status in ('sending', 'sent', 'failed')),
    attempts integer not null default 1,
    night text,
    error text,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (kind, subject, day, channel),
    foreign key (kind, subject, day) references alarms on delete cascade
);
comment on table alarm_deliveries is 'Who was told of an alarm: one row an alarm and channel, written before it is sent, so that none goes out twice.';
comment on column alarm_deliveries.kind is 'alarms.kind.';
comment on column alarm_deliveries.subject is 'alarms.subject.';
comment on column alarm_deliveries.day is 'alarms.day.';
comment on column alarm_deliveries.channel is 'webhook or mail.';
comment on column alarm_deliveries.status is 'sending (or killed while sending: not sent again), sent, or failed (tried again by the next night).';
comment on column alarm_deliveries.attempts is 'How often it was tried.';
comment on column alarm_deliveries.night is 'The night that tried last: one that failed is tried again by another.';
comment on column alarm_deliveries.error is 'What went wrong, without secrets.';
comment on column alarm_deliveries.changed_at is 'When the status last changed.';
