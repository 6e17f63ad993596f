-- Callbacks at a set time, and trunks that are asked for them.

create table callback (
    id      text    not null constraint callback_pkey primary key,
    room    text    not null constraint callback_room_fkey references room (id) on delete cascade,
    -- Milliseconds since 1970.
    due     integer not null,
    -- It was told to ring: whoever finds this after a restart does not know whether it did, and lets it be.
    claimed integer not null default 0 constraint callback_claimed_boolean check (claimed in (0, 1)),
    -- Whom and how, as JSON.
    plan    text    not null constraint callback_plan_length check (length(plan) between 2 and 8192)
) strict, without rowid;

create index callback_due on callback (due);

-- How a trunk that is a call manager is asked, as JSON; null where it is not.
alter table trunk add column callback text;
