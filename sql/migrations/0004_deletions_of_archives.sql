-- What archives ask to delete is known from files alone: there may be hundreds of millions of it.

comment on table tombstones is 'Tweets that were deleted here because they are gone there: never stored again. No id stands here, only a keyed hash. '
    'A copy, for people, of the files in tombstones/ of the data folder; what imported archives ask to delete stands in tombstones/archives/ alone.';
comment on column tombstones.reason is 'deleted, bounced, protected, suspended, scrub_geo, withheld (in some countries, of which the files tell) …';
