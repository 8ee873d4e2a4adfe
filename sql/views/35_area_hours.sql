-- One row an area, day and hour: what X gave of it, and why not more.
create or replace view area_hours as
select
    coverage_hours.area,
    coverage_hours.day,
    coverage_hours.hour,
    (
        coverage_hours.hour at time zone (
            select areas.timezone from areas where areas.area = coverage_hours.area order by areas.first_seen desc, areas.version limit 1
        )
    ) as local_time,
    coverage.mode,
    coverage_hours.seconds,
    coverage_hours.expected,
    coverage_hours.fetched,
    coverage_hours.kept,
    coverage_hours.pages,
    coverage_hours.waits,
    coverage_hours.wait_seconds,
    coverage_hours.errors,
    coverage_hours.observed,
    coverage_hours.reason,
    coverage.synthetic
from coverage_hours
join coverage using (area, day);

comment on view area_hours is 'One row an area and hour of a local day that X was asked for: how much of it was observed, and why not more.';
comment on column area_hours.area is 'The area.';
comment on column area_hours.day is 'Its local day.';
comment on column area_hours.hour is 'When the hour begins; hours are counted from the beginning of the local day.';
comment on column area_hours.local_time is 'The same by the area''s clocks.';
comment on column area_hours.mode is 'whole: all tweets of the day were asked for; sample: those of time slices drawn at random.';
comment on column area_hours.seconds is 'Its length: 3600, less only for a day''s last one where clocks change by half an hour.';
comment on column area_hours.expected is 'Posts that X''s counts endpoint said there are; null where it was not asked or did not answer.';
comment on column area_hours.fetched is 'Different posts received.';
comment on column area_hours.kept is 'Tweets kept: inside by the area''s policy.';
comment on column area_hours.pages is 'Pages that held a post of it.';
comment on column area_hours.waits is 'Waits before a request, while it was being fetched.';
comment on column area_hours.wait_seconds is 'Length of these waits together.';
comment on column area_hours.errors is 'Requests that failed while it was being fetched.';
comment on column area_hours.observed is 'Share of it that was observed; for a sample, of the slices in it.';
comment on column area_hours.reason is 'What is missing and why; null where nothing is.';
comment on column area_hours.synthetic is 'True where it comes from the sandbox''s made-up city.';
