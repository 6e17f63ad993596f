-- Where programs are told of events, and what they are still to be told.

create table webhook (
    id          text    not null constraint webhook_pkey primary key,
    url         text    not null constraint webhook_url_length check (length(url) between 1 and 2048),
    description text    not null constraint webhook_description_length check (length(description) <= 200),
    -- What the types of its events begin with, as a JSON list; an empty list is all of them.
    events      text    not null,
    enabled     integer not null constraint webhook_enabled_boolean check (enabled in (0, 1)),
    -- It was disabled because it said that it is gone.
    gone        integer not null constraint webhook_gone_boolean check (gone in (0, 1)),
    -- Readable, because signatures are made with it. The one before signs too until then.
    secret      text    not null,
    old_secret  text,
    old_until   integer,
    created     integer not null,
    -- When an event last arrived, and when one last did not, and why.
    succeeded   integer,
    failed      integer,
    error       text
) strict;

-- Written in the transaction of the event itself.
create table webhook_delivery (
    id       text    not null constraint webhook_delivery_pkey primary key,
    webhook  text    not null constraint webhook_delivery_webhook_fkey references webhook (id) on delete cascade,
    seq      integer not null constraint webhook_delivery_event_fkey references event (seq),
    state    text    not null constraint webhook_delivery_state_known check (state in ('waiting', 'delivered', 'dead')),
    attempts integer not null,
    -- When it is tried next.
    due      integer not null,
    created  integer not null,
    -- The last attempt: when, what was answered, why not.
    tried    integer,
    status   integer,
    error    text
) strict;

create index webhook_delivery_due on webhook_delivery (webhook, due) where state = 'waiting';
create index webhook_delivery_created on webhook_delivery (webhook, created, id);
create index webhook_delivery_event on webhook_delivery (seq);
create index webhook_delivery_state on webhook_delivery (state, created);
