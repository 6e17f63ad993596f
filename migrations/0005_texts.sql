-- Text messages that we send, those that come in, who wants none, and what kind of line numbers are.

create table text_message (
    id          text    not null constraint text_message_pkey primary key,
    recipient   text    not null,
    -- Another sender than the configured one.
    sender      text,
    -- Readable: without a provider it is shown on the page. The links inside open once and for minutes.
    body        text    not null,
    segments    integer not null,
    -- No reference: a text outlives its call.
    call        text,
    -- How the person asked for it.
    consent     text    not null,
    -- Whom it is handed to.
    provider    text    not null,
    state       text    not null constraint text_message_state_known check (state in
        ('queued', 'handing', 'handed', 'sent', 'delivered', 'undelivered', 'failed', 'unknown', 'kept')),
    -- What the provider calls it.
    provider_id text,
    reason      text,
    code        text,
    attempts    integer not null,
    -- Not handed over after this.
    until       integer not null,
    created     integer not null,
    -- When it was last begun to be handed over.
    handing     integer,
    changed     integer not null
) strict;

create index text_message_provider_id on text_message (provider, provider_id) where provider_id is not null;
create index text_message_created on text_message (created, id);
create index text_message_open on text_message (id) where state in ('queued', 'handing');

create table text_received (
    provider    text    not null,
    provider_id text    not null,
    sender      text    not null,
    recipient   text    not null,
    -- What it means: stop, start, help; what else people write is not kept.
    keyword     text,
    at          integer not null,
    -- Providers send again what was not answered in time.
    constraint text_received_pkey primary key (provider, provider_id)
) strict, without rowid;

create table opt_out (
    number text    not null constraint opt_out_pkey primary key,
    at     integer not null
) strict, without rowid;

create table line_type (
    number text    not null constraint line_type_pkey primary key,
    type   text    not null,
    at     integer not null
) strict, without rowid;
