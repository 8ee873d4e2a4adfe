-- One row an alarm, with what became of it on each channel.
create or replace view alarm_log as
select
    alarms.day,
    alarms.kind,
    alarms.subject,
    alarms.area,
    alarms.direction,
    alarms.said,
    alarms.observed,
    alarms.expected_lower,
    alarms.expected_upper,
    alarms.score,
    alarms.threshold,
    alarms.per_year,
    alarms.nights,
    alarms.past,
    alarms.calibrated,
    alarms.parts::jsonb as parts,
    alarms.synthetic,
    alarms.raised_at,
    alarms.run_id,
    webhook.status as webhook,
    mail.status as mail,
    nullif(concat_ws('; ', webhook.error, mail.error), '') as error
from alarms
left join alarm_deliveries as webhook
    on webhook.channel = 'webhook' and (webhook.kind, webhook.subject, webhook.day) = (alarms.kind, alarms.subject, alarms.day)
left join alarm_deliveries as mail
    on mail.channel = 'mail' and (mail.kind, mail.subject, mail.day) = (alarms.kind, alarms.subject, alarms.day);

comment on view alarm_log is 'One row an alarm: what shifted, when, against what was expected, and who was told.';
comment on column alarm_log.day is 'The local day on which it shows.';
comment on column alarm_log.kind is 'share: of a study; volume: how many tweets; coverage: how much of the day was observed.';
comment on column alarm_log.subject is 'The study (share, and volume where X counts); else the area.';
comment on column alarm_log.area is 'The area.';
comment on column alarm_log.direction is 'up or down.';
comment on column alarm_log.said is 'The alarm in words.';
comment on column alarm_log.observed is 'The share, number of tweets or coverage of that day.';
comment on column alarm_log.expected_lower is 'What was expected, lower end: 95 % predictive interval of a share; usual range of the others.';
comment on column alarm_log.expected_upper is 'The same, upper end.';
comment on column alarm_log.score is 'How far out the last nights are, by rank among the past ones.';
comment on column alarm_log.threshold is 'What the score had to pass.';
comment on column alarm_log.per_year is 'The promise: at most so many false alarms a year, of this subject and kind.';
comment on column alarm_log.nights is 'How many of the last nights show it best: 1, 2 or 3; 0 for a jump farther than anything before.';
comment on column alarm_log.past is 'Past nights that it was judged by.';
comment on column alarm_log.calibrated is 'False while the past is short.';
comment on column alarm_log.parts is 'Why it moved: parts that add up to the change; null where not known.';
comment on column alarm_log.synthetic is 'True where any of it comes from the sandbox''s made-up city.';
comment on column alarm_log.raised_at is 'When it was found.';
comment on column alarm_log.run_id is 'The run that found it: runs.run_id.';
comment on column alarm_log.webhook is 'sending, sent or failed; null where no webhook was told.';
comment on column alarm_log.mail is 'The same of e-mail.';
comment on column alarm_log.error is 'Why it failed.';
