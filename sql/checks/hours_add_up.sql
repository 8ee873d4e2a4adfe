-- The hours of a day that X alone was asked for, and whole, make its coverage: each by its length.
select
    coverage.area,
    coverage.day,
    coverage.coverage,
    hours.observed
from coverage
join (
    select
        area,
        day,
        sum(seconds * observed) / sum(seconds) as observed
    from coverage_hours
    group by area, day
) as hours using (area, day)
where coverage.mode = 'whole' and cardinality(coverage.sources) = 1
    and (coverage.coverage is null or abs(coverage.coverage - hours.observed) > 1e-3)
