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
    basis
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
    basis
from posteriors;

comment on view posterior_publications is 'Every share ever published: valid from published_at until replaced_at.';
comment on column posterior_publications.study is 'The study.';
comment on column posterior_publications.day is 'The day that the share is about.';
comment on column posterior_publications.published_at is 'From when this was what we said.';
comment on column posterior_publications.replaced_at is 'Until when; null: still.';
comment on column posterior_publications.reason is 'Why it was replaced; null: it was not.';
comment on column posterior_publications.share is 'Posterior mean of the share.';
comment on column posterior_publications.lower_95 is 'Central 95 % interval, lower end.';
comment on column posterior_publications.upper_95 is 'Central 95 % interval, upper end.';
comment on column posterior_publications.trials is 'Sum of n over the days that counted.';
comment on column posterior_publications.matches is 'Sum of k over the days that counted.';
comment on column posterior_publications.days is 'Days that counted.';
comment on column posterior_publications.rule_version is 'The rule: studies.rule_version.';
comment on column posterior_publications.basis is 'What it was made of: tweets; sample where any of its days was one; counts where they were X''s own.';
