-- The run ledger for people.
create or replace view runs as
select
    task_runs.run_id,
    task_runs.task,
    task_runs.parameters,
    task_runs.status,
    task_runs.started_at,
    task_runs.ended_at,
    extract(epoch from task_runs.ended_at - task_runs.started_at)::double precision as seconds,
    task_runs.rows_in,
    task_runs.rows_out,
    task_runs.requests,
    task_runs.error
from task_runs;

comment on view runs is 'Every run of a task: when, how long, with what result.';
comment on column runs.run_id is 'The run''s name, as in partitions.run_id.';
comment on column runs.task is 'The task''s name.';
comment on column runs.parameters is 'Its parameters.';
comment on column runs.status is 'running, done, failed, killed, or stopped by the budget.';
comment on column runs.started_at is 'When it began.';
comment on column runs.ended_at is 'When it ended; for killed: when that was found out.';
comment on column runs.seconds is 'How long it took.';
comment on column runs.rows_in is 'Rows read.';
comment on column runs.rows_out is 'Rows written.';
comment on column runs.requests is 'Requests sent to the API.';
comment on column runs.error is 'What went wrong.';
