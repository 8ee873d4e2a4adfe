-- A marker says how many rows were loaded: they are there. (A posterior whose marker was taken away waits to be made again.)
select
    partitions.dataset,
    partitions.name,
    partitions.day,
    partitions.rows,
    found.rows as found
from partitions
cross join lateral (
    select case partitions.dataset
        when 'tweets' then (select count(*) from tweets where tweets.area = partitions.name and tweets.day = partitions.day)
        when 'counts' then (select count(*) from author_counts where author_counts.study = partitions.name and author_counts.day = partitions.day)
        when 'posteriors' then (select count(*) from posteriors where posteriors.study = partitions.name and posteriors.day = partitions.day)
    end as rows
) as found
where partitions.dataset <> 'report' and partitions.rows <> found.rows
