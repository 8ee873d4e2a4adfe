-- Authors stand here as keyed hashes, 32 hexadecimal digits, never by their own ids.
select
    'tweets' as held_in,
    area as name,
    day,
    author_key
from tweets
where author_key !~ '^[0-9a-f]{32}$'
union all
select
    'author_counts' as held_in,
    study as name,
    day,
    author_key
from author_counts
where author_key !~ '^[0-9a-f]{32}$'
