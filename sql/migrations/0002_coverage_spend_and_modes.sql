-- What the real API adds: coverage by hour, what was spent, samples and counts instead of tweets, tombstones, retention.

alter table coverage
    add column mode text not null default 'whole' check (mode in ('whole', 'sample')),
    add column expected bigint,
    add column fetched bigint,
    add column kept bigint;
comment on column coverage.mode is 'whole: all tweets of the hours observed were asked for; sample: those of time slices drawn at random.';
comment on column coverage.expected is 'Posts that X''s counts endpoint said there are; null where it was not asked or did not answer.';
comment on column coverage.fetched is 'Different posts received from X; null for archives alone.';
comment on column coverage.kept is 'Tweets kept: inside by the area''s policy.';

create table coverage_hours (
    area text not null,
    day date not null,
    hour timestamptz not null,
    seconds integer not null check (seconds between 1 and 3600),
    expected bigint,
    fetched bigint not null,
    kept bigint not null,
    pages bigint not null,
    waits bigint not null,
    wait_seconds double precision not null,
    errors bigint not null,
    observed double precision not null check (observed between 0 and 1),
    reason text,
    primary key (area, day, hour)
);
comment on table coverage_hours is 'Hour by hour, what share of an area''s day was observed from X, and why not more.';
comment on column coverage_hours.area is 'The area.';
comment on column coverage_hours.day is 'The local day.';
comment on column coverage_hours.hour is 'When the hour begins; hours are counted from the beginning of the local day.';
comment on column coverage_hours.seconds is 'Its length: 3600, less only for a day''s last one where clocks change by half an hour.';
comment on column coverage_hours.expected is 'Posts that X''s counts endpoint said there are; null where it was not asked or did not answer.';
comment on column coverage_hours.fetched is 'Different posts received.';
comment on column coverage_hours.kept is 'Tweets kept: inside by the area''s policy.';
comment on column coverage_hours.pages is 'Pages that held a post of it.';
comment on column coverage_hours.waits is 'Waits before a request, while it was being fetched.';
comment on column coverage_hours.wait_seconds is 'Length of these waits together.';
comment on column coverage_hours.errors is 'Requests that failed while it was being fetched.';
comment on column coverage_hours.observed is 'Share of it that was observed; for a sample, of the slices in it.';
comment on column coverage_hours.reason is 'What is missing and why; null where nothing is.';

alter table daily_counts
    add column basis text not null default 'tweets' check (basis in ('tweets', 'sample', 'counts')),
    add column sampled bigint,
    add column population bigint;
comment on column daily_counts.basis is
    'tweets: all that were found; sample: those of time slices drawn at random; counts: X''s own counts, matched by X''s rules, authors unknown.';
comment on column daily_counts.sampled is 'For a sample: how many different posts were received; else null.';
comment on column daily_counts.population is 'For a sample: how many posts X said there are in all; else null.';
-- X counts neither authors nor retweets
alter table daily_counts alter column authors drop not null, alter column retweets drop not null;
comment on column daily_counts.authors is 'Different known authors of the n tweets; null where X counted.';
comment on column daily_counts.retweets is 'Retweets, which are neither trials nor matches; null where X counted.';

alter table posteriors
    add column basis text not null default 'tweets' check (basis in ('tweets', 'sample', 'counts')),
    add column days_sampled integer not null default 0;
comment on column posteriors.basis is 'tweets; sample where any day that counts is one; counts where they are X''s own.';
comment on column posteriors.days_sampled is 'Days that count and are samples.';
alter table posterior_history
    add column basis text not null default 'tweets',
    add column days_sampled integer not null default 0;
comment on column posterior_history.basis is 'tweets; sample where any day that counts is one; counts where they are X''s own.';
comment on column posterior_history.days_sampled is 'Days that count and are samples.';

alter table studies add column mode text not null default 'tweets' check (mode in ('tweets', 'counts'));
comment on column studies.mode is 'tweets: they are collected and matched here; counts: X counts.';
comment on column studies.rule_version is 'Digest of the match rule, and of who matches by it; daily_counts and posteriors name it.';

-- the text goes when [content] retention_days have passed; what was counted stays
alter table tweets alter column text drop not null;
comment on column tweets.text is 'The whole text, NFC, entities undone; null once [content] retention_days have passed.';

create table api_spend (
    utc_day date not null,
    endpoint text not null,
    requests bigint not null,
    posts bigint not null,
    posts_billed bigint not null,
    dollars numeric(14, 6) not null,
    primary key (utc_day, endpoint)
);
comment on table api_spend is 'The ledger of what was asked of the X API and what it costs, by UTC day and endpoint.';
comment on column api_spend.utc_day is 'The UTC day: X bills by it.';
comment on column api_spend.endpoint is 'search/recent, search/all, counts/recent, counts/all …';
comment on column api_spend.requests is 'Requests sent, failed ones too.';
comment on column api_spend.posts is 'Posts received.';
comment on column api_spend.posts_billed is 'Those of them that are billed: the same post twice in one UTC day is billed once.';
comment on column api_spend.dollars is 'What that costs by X''s price list, US dollars.';

create table api_reservations (
    request_id text primary key,
    utc_day date not null,
    endpoint text not null,
    posts integer not null,
    dollars numeric(14, 6) not null,
    sent_at timestamptz not null default now()
);
comment on table api_reservations is 'Requests that are on their way, and those of killed runs: counted against the budget at their most.';
comment on column api_reservations.request_id is 'Digest of what is asked, what for and on which UTC day: the same request takes its own place.';
comment on column api_reservations.utc_day is 'The UTC day in which it was sent.';
comment on column api_reservations.endpoint is 'The endpoint.';
comment on column api_reservations.posts is 'How many posts it may return.';
comment on column api_reservations.dollars is 'What it may cost, US dollars.';
comment on column api_reservations.sent_at is 'When.';

create table billed_posts (
    utc_day date not null,
    post_id bigint not null,
    primary key (utc_day, post_id)
);
comment on table billed_posts is 'Posts billed on the last two UTC days, so that one that comes twice is counted once.';
comment on column billed_posts.utc_day is 'The UTC day.';
comment on column billed_posts.post_id is 'The post''s id.';

create table tombstones (
    id_key text primary key,
    reason text not null,
    source text not null,
    noted_at timestamptz not null default now(),
    until_milliseconds bigint
);
comment on table tombstones is 'Tweets that were deleted here because they are gone there: never stored again. No id stands here, only a keyed hash.';
comment on column tombstones.id_key is 'Keyed hash of the tweet''s id, or of the author''s where until_milliseconds is there, 32 hexadecimal digits.';
comment on column tombstones.reason is 'deleted, bounced, protected, suspended, scrub_geo …';
comment on column tombstones.source is 'Who said so: compliance, or the name of a file.';
comment on column tombstones.noted_at is 'When.';
comment on column tombstones.until_milliseconds is
    'For an author who took the location away from old tweets: from all up to this moment, in milliseconds of tweets'' ids.';

-- a night that the budget stopped has not failed: nothing is wrong, and it goes on by itself
alter table task_runs drop constraint task_runs_status_check;
alter table task_runs add constraint task_runs_status_check check (status in ('running', 'done', 'failed', 'killed', 'stopped'));
comment on column task_runs.status is
    'running, done, failed, killed (its process was gone when the next run looked), or stopped (by the budget: it goes on when that allows).';
