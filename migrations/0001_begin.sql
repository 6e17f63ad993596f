-- Trunks, numbers, rooms, API keys, call records, the event log, and answers kept for idempotency keys.
--
-- Ids are text as people read them (`room_…`). Times are milliseconds since 1970 in UTC. A nested value that nothing is
-- looked up by is one JSON column. Every constraint has a name; src/store/error.rs maps the names to what the API says.
-- A migration that has run is never edited: add another.

create table trunk (
    id        text    not null constraint trunk_pkey primary key,
    name      text    not null constraint trunk_name_key unique
                               constraint trunk_name_length check (length(name) between 1 and 100),
    networks  text    not null,
    username  text             constraint trunk_username_key unique,
    -- Readable, because digest authentication (RFC 7616) computes with the password itself. The file is mode 0600.
    password  text,
    numbers   text    not null,
    max_calls integer          constraint trunk_max_calls_range check (max_calls >= 0),
    enabled   integer not null constraint trunk_enabled_boolean check (enabled in (0, 1)),
    constraint trunk_credentials_whole check ((username is null) = (password is null))
) strict;

create table room (
    id       text not null constraint room_pkey primary key,
    name     text not null constraint room_name_length check (length(name) between 1 and 100),
    -- RoomSettings without id, name and PINs.
    settings text not null
) strict;

-- Guest and host PINs share one space: keyed digits lead to exactly one room and one role.
create table room_pin (
    -- Readable, because invitations show it.
    pin  text not null constraint room_pin_key primary key
                       constraint room_pin_digits check (length(pin) between 1 and 20 and pin not glob '*[^0-9]*'),
    room text not null constraint room_pin_room_fkey references room (id) on delete cascade,
    role text not null constraint room_pin_role_known check (role in ('guest', 'host')),
    constraint room_pin_role_key unique (room, role)
) strict;

create table did (
    id        text not null constraint did_pkey primary key,
    called    text not null constraint did_called_length check (length(called) between 1 and 64),
    trunk     text          constraint did_trunk_fkey references trunk (id),
    leads_to  text not null constraint did_leads_to_known check (leads_to in ('attendant', 'room', 'refuse')),
    room      text          constraint did_room_fkey references room (id),
    cause     text,
    languages text not null,
    constraint did_room_given check ((leads_to = 'room') = (room is not null)),
    constraint did_cause_given check ((leads_to = 'refuse') = (cause is not null))
) strict;

-- An expression index, because two rules for "any trunk" (null) would otherwise count as different.
create unique index did_called_key on did (called, coalesce(trunk, ''));
create index did_room on did (room) where room is not null;
create index did_trunk on did (trunk) where trunk is not null;

create table api_key (
    id      text    not null constraint api_key_pkey primary key,
    name    text    not null constraint api_key_name_length check (length(name) between 1 and 100),
    -- SHA-256 of 256 random bits: nothing to salt, nothing to guess.
    hash    blob    not null constraint api_key_hash_key unique
                             constraint api_key_hash_length check (length(hash) = 32),
    scopes  text    not null,
    created integer not null,
    revoked integer
) strict;

create table call_record (
    id       text    not null constraint call_record_pkey primary key,
    call_id  text    not null,
    caller   text,
    called   text    not null,
    -- No references: a record outlives its trunk, number and room.
    trunk    text,
    did      text,
    room     text,
    began    integer not null,
    answered integer,
    ended    integer,
    cause    text,
    figures  text
) strict;

create index call_record_began on call_record (began, id);
create index call_record_room on call_record (room, began) where room is not null;
create index call_record_live on call_record (id) where ended is null;

create table event (
    seq  integer not null constraint event_pkey primary key,
    at   integer not null,
    room text,
    body text    not null
) strict;

create index event_room on event (room, seq) where room is not null;

create table idempotency (
    api_key  text    not null,
    key      text    not null constraint idempotency_key_length check (length(key) between 1 and 255),
    -- SHA-256 of method, path and body.
    request  blob    not null,
    status   integer not null,
    location text    not null,
    answer   text    not null,
    at       integer not null,
    constraint idempotency_pkey primary key (api_key, key)
) strict, without rowid;
