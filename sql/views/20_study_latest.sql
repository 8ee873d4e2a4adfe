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
    study_days.days_sampled
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
comment on column study_latest.share is 'Posterior mean of the share.';
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
