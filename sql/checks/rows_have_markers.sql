-- No tweets and no counts without the marker of the transaction that loaded them; counts are of the marker's revision.
select
    'tweets' as dataset,
    loaded.area as name,
    loaded.day,
    null as revision
from (select distinct area, day from tweets) as loaded
left join partitions on partitions.dataset = 'tweets' and partitions.name = loaded.area and partitions.day = loaded.day
where partitions.revision is null
union all
select
    'counts' as dataset,
    daily_counts.study as name,
    daily_counts.day,
    daily_counts.revision
from daily_counts
left join partitions on partitions.dataset = 'counts' and partitions.name = daily_counts.study and partitions.day = daily_counts.day
where partitions.revision is distinct from daily_counts.revision
