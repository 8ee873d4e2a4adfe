-- What the X API cost, month by month.
create or replace view api_spend_months as
select
    date_trunc('month', utc_day)::date as month,
    sum(requests)::bigint as requests,
    sum(posts)::bigint as posts,
    sum(posts_billed)::bigint as posts_billed,
    sum(dollars) as dollars
from api_spend
group by 1;

comment on view api_spend_months is 'What was asked of the X API and what it costs, by calendar month (UTC).';
comment on column api_spend_months.month is 'The first day of the month.';
comment on column api_spend_months.requests is 'Requests sent, failed ones too.';
comment on column api_spend_months.posts is 'Posts received.';
comment on column api_spend_months.posts_billed is 'Those of them that are billed: the same post twice in one UTC day is billed once.';
comment on column api_spend_months.dollars is 'What that costs by X''s price list, US dollars.';
