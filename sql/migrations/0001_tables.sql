-- The tables that the pipeline writes. Dashboards read the views (sql/views), whose names and columns are the contract.

create table areas (
    area text not null,
    version text not null,
    west double precision not null,
    south double precision not null,
    east double precision not null,
    north double precision not null,
    timezone text not null,
    largest_place double precision not null,
    evidence text[] not null,
    first_seen timestamptz not null default now(),
    primary key (area, version)
);
comment on table areas is 'Every version of an area that a load ever used.';
comment on column areas.area is 'The area''s name in areas.toml.';
comment on column areas.version is 'Digest of what decides which tweets are inside: box, time zone, evidence policy.';
comment on column areas.west is 'Western edge of the box, degrees; greater than east where the box crosses the antimeridian.';
comment on column areas.south is 'Southern edge, degrees.';
comment on column areas.east is 'Eastern edge, degrees.';
comment on column areas.north is 'Northern edge, degrees.';
comment on column areas.timezone is 'IANA time zone; its calendar days are the area''s days.';
comment on column areas.largest_place is 'A place counts by its centre up to this many times the box''s surface.';
comment on column areas.evidence is 'The kinds of evidence that count.';
comment on column areas.first_seen is 'When a load first used this version.';

create table studies (
    study text not null,
    version text not null,
    rule_version text not null,
    question text not null,
    area text not null,
    start date not null,
    match jsonb not null,
    prior_alpha double precision not null,
    prior_beta double precision not null,
    forget double precision not null,
    first_seen timestamptz not null default now(),
    primary key (study, version)
);
comment on table studies is 'Every version of a study that a load ever used.';
comment on column studies.study is 'The study''s name in studies.toml.';
comment on column studies.version is 'Digest of all that follows.';
comment on column studies.rule_version is 'Digest of the match rule alone; daily_counts and posteriors name it.';
comment on column studies.question is 'The question, as people wrote it.';
comment on column studies.area is 'The area it asks about.';
comment on column studies.start is 'The first day that counts.';
comment on column studies.match is 'The match rule.';
comment on column studies.prior_alpha is 'Prior Beta(alpha, beta): alpha.';
comment on column studies.prior_beta is 'Prior Beta(alpha, beta): beta.';
comment on column studies.forget is 'Weight of a day against the day after it; 1 forgets nothing.';
comment on column studies.first_seen is 'When a load first used this version.';

create table partitions (
    dataset text not null check (dataset in ('tweets', 'counts', 'posteriors', 'report')),
    name text not null,
    day date not null,
    revision text not null,
    rows bigint not null check (rows >= 0),
    source_digest text,
    inputs text,
    synthetic boolean,
    loaded_at timestamptz not null default now(),
    run_id text,
    primary key (dataset, name, day)
);
comment on table partitions is 'The load markers: written in the transaction that loads a partition, so a row here means that all of it is there.';
comment on column partitions.dataset is 'tweets, counts, posteriors or report.';
comment on column partitions.name is 'The area (tweets), the study (counts, posteriors), or empty (report).';
comment on column partitions.day is 'The local day of the area.';
comment on column partitions.revision is 'Digest of everything that decides the content and is not in the name.';
comment on column partitions.rows is 'Rows that were loaded: of tweets, of author_counts, or 1 for a posterior or report.';
comment on column partitions.source_digest is 'Digest of the content that was loaded: equal digests, equal rows.';
comment on column partitions.inputs is 'Digest of the area''s version and the sources: an empty result of the same inputs does not replace rows.';
comment on column partitions.synthetic is 'True where the rows come from the sandbox''s made-up city.';
comment on column partitions.loaded_at is 'When the load began.';
comment on column partitions.run_id is 'The run that loaded it: task_runs.run_id.';

create table tweets (
    area text not null,
    day date not null,
    tweet_id bigint not null,
    created_at timestamptz not null,
    author_key text,
    text text not null,
    lang text,
    client text,
    is_retweet boolean not null,
    is_quote boolean not null,
    longitude double precision,
    latitude double precision,
    evidence text not null,
    place_id text,
    place_name text,
    place_type text,
    place_country text,
    place_west double precision,
    place_south double precision,
    place_east double precision,
    place_north double precision,
    version_id bigint not null,
    synthetic boolean not null,
    raw json,
    primary key (area, day, tweet_id)
);
-- brin costs a load nothing; gin on the text would make it ten times slower
create index tweets_created_at on tweets using brin (created_at);
create index tweets_place on tweets (longitude, latitude);
create index tweets_author on tweets (author_key);
comment on table tweets is 'The tweets held to be inside an area, one row a tweet and area.';
comment on column tweets.area is 'The area.';
comment on column tweets.day is 'The local day of the area in which the tweet''s first version was written.';
comment on column tweets.tweet_id is 'Id of the first version: the tweet''s name for good.';
comment on column tweets.created_at is 'When the first version was written.';
comment on column tweets.author_key is 'Keyed hash of the author''s id, 32 hexadecimal digits; null where the source names none.';
comment on column tweets.text is 'The whole text, NFC, entities undone.';
comment on column tweets.lang is 'The source''s guess of the language.';
comment on column tweets.client is 'The program it was written with.';
comment on column tweets.is_retweet is 'Retweets are neither trials nor matches.';
comment on column tweets.is_quote is 'Quotes count by their own text.';
comment on column tweets.longitude is 'Exact point, degrees; null where there is none.';
comment on column tweets.latitude is 'Exact point, degrees; null where there is none.';
comment on column tweets.evidence is 'Why it is held to be inside: point, place_within or place_centroid.';
comment on column tweets.place_id is 'The source''s id of the place.';
comment on column tweets.place_name is 'The place''s full name.';
comment on column tweets.place_type is 'poi, neighborhood, city, admin or country.';
comment on column tweets.place_country is 'Two-letter code of the country.';
comment on column tweets.place_west is 'Western edge of the place''s box, degrees; greater than place_east across the antimeridian.';
comment on column tweets.place_south is 'Southern edge, degrees.';
comment on column tweets.place_east is 'Eastern edge, degrees.';
comment on column tweets.place_north is 'Northern edge, degrees.';
comment on column tweets.version_id is 'Id of the version shown; equal to tweet_id unless edited.';
comment on column tweets.synthetic is 'True where the sandbox made it up.';
comment on column tweets.raw is 'The record''s own JSON, only where [load] raw asks for it.';

create table discards (
    area text not null,
    day date not null,
    reason text not null,
    rows bigint not null check (rows >= 0),
    primary key (area, day, reason)
);
comment on table discards is 'How many records were left out of an area''s day, by reason.';
comment on column discards.area is 'The area.';
comment on column discards.day is 'The local day.';
comment on column discards.reason is 'Why they were left out.';
comment on column discards.rows is 'How many.';

create table coverage (
    area text not null,
    day date not null,
    coverage double precision check (coverage between 0 and 1),
    reason text,
    sources text[] not null,
    posts bigint,
    pages bigint,
    requests bigint,
    synthetic boolean not null,
    primary key (area, day)
);
comment on table coverage is 'What share of an area''s day was really observed.';
comment on column coverage.area is 'The area.';
comment on column coverage.day is 'The local day.';
comment on column coverage.coverage is 'Share of the day observed, 0 to 1; null where nobody can tell.';
comment on column coverage.reason is 'Why it is not 1 or not known.';
comment on column coverage.sources is 'Where the tweets came from.';
comment on column coverage.posts is 'Posts received from the API; null for archives alone.';
comment on column coverage.pages is 'Pages received from the API.';
comment on column coverage.requests is 'Requests sent to the API.';
comment on column coverage.synthetic is 'True where they come from the sandbox''s made-up city.';

create table daily_counts (
    study text not null,
    day date not null,
    trials bigint not null check (trials >= 0),
    matches bigint not null check (matches between 0 and trials),
    authors bigint not null check (authors >= 0),
    retweets bigint not null check (retweets >= 0),
    coverage double precision check (coverage between 0 and 1),
    coverage_reason text,
    synthetic boolean not null,
    rule_version text not null,
    revision text not null,
    primary key (study, day)
);
comment on table daily_counts is 'Trials and matches of a study on a day: all that the posterior reads.';
comment on column daily_counts.study is 'The study.';
comment on column daily_counts.day is 'The local day of the study''s area.';
comment on column daily_counts.trials is 'n: tweets that are not retweets.';
comment on column daily_counts.matches is 'k: those of them that match the rule.';
comment on column daily_counts.authors is 'Different known authors of the n tweets.';
comment on column daily_counts.retweets is 'Retweets, which are neither trials nor matches.';
comment on column daily_counts.coverage is 'Share of the day observed, 0 to 1; null where nobody can tell.';
comment on column daily_counts.coverage_reason is 'Why it is not 1 or not known.';
comment on column daily_counts.synthetic is 'True where the tweets come from the sandbox''s made-up city.';
comment on column daily_counts.rule_version is 'Digest of the rule: studies.rule_version.';
comment on column daily_counts.revision is 'Digest of everything that decided these numbers.';

create table author_counts (
    study text not null,
    day date not null,
    author_key text,
    trials bigint not null check (trials >= 0),
    matches bigint not null check (matches between 0 and trials)
);
-- not a primary key: the row of tweets without a known author has a null key
create unique index author_counts_key on author_counts (study, day, author_key);
comment on table author_counts is 'The same counts by author: what the clustering by author needs.';
comment on column author_counts.study is 'The study.';
comment on column author_counts.day is 'The local day.';
comment on column author_counts.author_key is 'Keyed hash of the author''s id; null gathers tweets without a known author.';
comment on column author_counts.trials is 'n of this author.';
comment on column author_counts.matches is 'k of this author.';

create table tweet_matches (
    study text not null,
    day date not null,
    tweet_id bigint not null,
    rule text not null,
    primary key (study, day, tweet_id)
);
comment on table tweet_matches is 'Which tweets matched, and by which rule.';
comment on column tweet_matches.study is 'The study.';
comment on column tweet_matches.day is 'The local day.';
comment on column tweet_matches.tweet_id is 'tweets.tweet_id.';
comment on column tweet_matches.rule is 'The first rule of the study that matched.';

create table posteriors (
    study text not null,
    day date not null,
    alpha double precision not null,
    beta double precision not null,
    mean double precision not null,
    lower_50 double precision not null,
    upper_50 double precision not null,
    lower_95 double precision not null,
    upper_95 double precision not null,
    hdi_lower_50 double precision not null,
    hdi_upper_50 double precision not null,
    hdi_lower_95 double precision not null,
    hdi_upper_95 double precision not null,
    prior_alpha double precision not null,
    prior_beta double precision not null,
    forget double precision not null,
    trials bigint not null,
    matches bigint not null,
    days integer not null,
    days_missing integer not null,
    days_partial integer not null,
    coverage double precision,
    synthetic boolean not null,
    rule_version text not null,
    revision text not null,
    published_at timestamptz not null default clock_timestamp(),
    run_id text,
    primary key (study, day)
);
comment on table posteriors is 'What is believed of a study''s share at the end of a day: Beta(alpha, beta), from the prior and all stored counts up to it.';
comment on column posteriors.study is 'The study.';
comment on column posteriors.day is 'The last day that counts, local to the study''s area.';
comment on column posteriors.alpha is 'Beta(alpha, beta): alpha = prior_alpha + matches, past days weighted by forget.';
comment on column posteriors.beta is 'Beta(alpha, beta): beta = prior_beta + trials - matches, past days weighted by forget.';
comment on column posteriors.mean is 'alpha / (alpha + beta): the share.';
comment on column posteriors.lower_50 is 'Central 50 % interval, lower end.';
comment on column posteriors.upper_50 is 'Central 50 % interval, upper end.';
comment on column posteriors.lower_95 is 'Central 95 % interval, lower end.';
comment on column posteriors.upper_95 is 'Central 95 % interval, upper end.';
comment on column posteriors.hdi_lower_50 is 'Shortest (highest-density) 50 % interval, lower end.';
comment on column posteriors.hdi_upper_50 is 'Shortest 50 % interval, upper end.';
comment on column posteriors.hdi_lower_95 is 'Shortest 95 % interval, lower end.';
comment on column posteriors.hdi_upper_95 is 'Shortest 95 % interval, upper end.';
comment on column posteriors.prior_alpha is 'The prior''s alpha.';
comment on column posteriors.prior_beta is 'The prior''s beta.';
comment on column posteriors.forget is 'Weight of a day against the day after it; 1 forgets nothing.';
comment on column posteriors.trials is 'Sum of n over the days that count, unweighted.';
comment on column posteriors.matches is 'Sum of k over the days that count, unweighted.';
comment on column posteriors.days is 'Days from the study''s start to this one that count.';
comment on column posteriors.days_missing is 'Days from the study''s start to this one without counts by today''s rule, box and sources.';
comment on column posteriors.days_partial is 'Days that count but are known to be observed only in part.';
comment on column posteriors.coverage is 'Mean coverage of the days that count and whose coverage is known; null where none is.';
comment on column posteriors.synthetic is 'True where any day that counts comes from the sandbox''s made-up city.';
comment on column posteriors.rule_version is 'Digest of the rule: studies.rule_version.';
comment on column posteriors.revision is 'Digest of prior, forgetting, rule, area and code.';
comment on column posteriors.published_at is 'When these values were first published.';
comment on column posteriors.run_id is 'The run that published them: task_runs.run_id.';

create table posterior_history (
    id bigint generated always as identity primary key,
    like posteriors including comments,
    replaced_at timestamptz not null default clock_timestamp(),
    replaced_by text,
    reason text not null
);
create index posterior_history_study_day on posterior_history (study, day);
comment on table posterior_history is 'What was published before and why it changed: the old values of each posteriors row that was replaced.';
comment on column posterior_history.id is 'Order of replacement.';
comment on column posterior_history.replaced_at is 'When other values took the place of these.';
comment on column posterior_history.replaced_by is 'The run that replaced them: task_runs.run_id.';
comment on column posterior_history.reason is 'Why they changed.';

create table task_runs (
    run_id text primary key,
    task text not null,
    parameters jsonb not null,
    revision text,
    status text not null check (status in ('running', 'done', 'failed', 'killed')),
    started_at timestamptz not null default now(),
    ended_at timestamptz,
    rows_in bigint,
    rows_out bigint,
    requests bigint,
    error text,
    host text not null,
    pid integer not null,
    process_started text not null
);
create index task_runs_task on task_runs (task, started_at);
create index task_runs_started on task_runs (started_at);
comment on table task_runs is 'The run ledger: one row for each run of a task, kept apart from Luigi.';
comment on column task_runs.run_id is 'A random name of the run.';
comment on column task_runs.task is 'The task''s name.';
comment on column task_runs.parameters is 'Its parameters.';
comment on column task_runs.revision is 'Revision of what it makes.';
comment on column task_runs.status is 'running, done, failed, or killed (its process was gone when the next run looked).';
comment on column task_runs.started_at is 'When it began.';
comment on column task_runs.ended_at is 'When it ended; for killed: when that was found out.';
comment on column task_runs.rows_in is 'Rows read.';
comment on column task_runs.rows_out is 'Rows written.';
comment on column task_runs.requests is 'Requests sent to the API.';
comment on column task_runs.error is 'What went wrong, without secrets.';
comment on column task_runs.host is 'The machine.';
comment on column task_runs.pid is 'The process id there.';
comment on column task_runs.process_started is 'Boot and start time of that process: a pid alone may come again.';
