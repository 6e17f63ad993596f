-- Extensions, groups of them, the ordered routing rules; trunks that calls go out by; numbers that lead anywhere.
--
-- Where a call leads is one JSON column, with a row in `leads_to` for everything that it names, so that nothing is taken
-- away while something still leads there.

alter table trunk add column profile text not null default 'generic'
    constraint trunk_profile_length check (length(profile) between 1 and 64);
alter table trunk add column calls_per_second integer
    constraint trunk_calls_per_second_range check (calls_per_second >= 1);
-- Outbound, with the password we answer challenges with: readable, as trunk.password is.
alter table trunk add column outbound text;
alter table trunk add column tls text;
alter table trunk add column limits text;
alter table trunk add column identity text;

create table extension (
    id       text    not null constraint extension_pkey primary key,
    name     text    not null constraint extension_name_length check (length(name) between 1 and 100),
    -- Readable, because digest authentication computes with the password itself.
    password text    not null constraint extension_password_length check (length(password) between 8 and 128),
    number   text             constraint extension_number_key unique,
    enabled  integer not null constraint extension_enabled_boolean check (enabled in (0, 1)),
    dnd      integer not null constraint extension_dnd_boolean check (dnd in (0, 1)),
    -- Extension without what has a column of its own.
    settings text    not null
) strict;

create table ring_group (
    id       text    not null constraint ring_group_pkey primary key,
    name     text    not null constraint ring_group_name_length check (length(name) between 1 and 100),
    ring     text    not null constraint ring_group_ring_known check (ring in ('parallel', 'serial')),
    seconds  integer not null constraint ring_group_seconds_range check (seconds between 5 and 600)
) strict;

create table ring_group_member (
    ring_group text    not null constraint ring_group_member_group_fkey references ring_group (id) on delete cascade,
    place      integer not null,
    extension  text    not null constraint ring_group_member_extension_fkey references extension (id),
    constraint ring_group_member_pkey primary key (ring_group, place),
    constraint ring_group_member_once unique (ring_group, extension)
) strict, without rowid;

create index ring_group_member_extension on ring_group_member (extension);

-- What is dialled inside, or shown by digest, is exactly one extension's, group's or trunk's.
create table user_name (
    name       text not null constraint user_name_key primary key
                             constraint user_name_length check (length(name) between 1 and 64),
    extension  text constraint user_name_extension_key unique
                    constraint user_name_extension_fkey references extension (id) on delete cascade,
    ring_group text constraint user_name_group_key unique
                    constraint user_name_group_fkey references ring_group (id) on delete cascade,
    trunk      text constraint user_name_trunk_key unique
                    constraint user_name_trunk_fkey references trunk (id) on delete cascade,
    constraint user_name_one_owner check ((extension is not null) + (ring_group is not null) + (trunk is not null) = 1)
) strict;

insert into user_name (name, trunk) select username, id from trunk where username is not null;

create table rule (
    id        text    not null constraint rule_pkey primary key,
    -- From 1, without gaps.
    position  integer not null,
    name      text    not null constraint rule_name_length check (length(name) between 1 and 100),
    enabled   integer not null constraint rule_enabled_boolean check (enabled in (0, 1)),
    condition text    not null,
    leads_to  text    not null
) strict;

create index rule_position on rule (position);

-- Again without the list of kinds, which a check of a column cannot be rid of otherwise.
create table did_anywhere (
    id        text not null constraint did_pkey primary key,
    called    text not null constraint did_called_length check (length(called) between 1 and 64),
    trunk     text          constraint did_trunk_fkey references trunk (id),
    leads_to  text not null,
    languages text not null
) strict;

insert into did_anywhere (id, called, trunk, leads_to, languages)
    select id, called, trunk,
           case leads_to when 'room' then json_object('to', leads_to, 'room', room)
                         when 'refuse' then json_object('to', leads_to, 'cause', cause)
                         else json_object('to', leads_to) end,
           languages
    from did;

-- What a number or a rule names, in where it leads or in when it holds.
create table leads_to (
    did        text constraint leads_to_did_fkey references did_anywhere (id) on delete cascade,
    rule       text constraint leads_to_rule_fkey references rule (id) on delete cascade,
    room       text constraint leads_to_room_fkey references room (id),
    extension  text constraint leads_to_extension_fkey references extension (id),
    ring_group text constraint leads_to_group_fkey references ring_group (id),
    trunk      text constraint leads_to_trunk_fkey references trunk (id),
    constraint leads_to_one_owner check ((did is not null) + (rule is not null) = 1),
    constraint leads_to_one_end
        check ((room is not null) + (extension is not null) + (ring_group is not null) + (trunk is not null) = 1)
) strict;

insert into leads_to (did, room) select id, room from did where room is not null;

drop table did;
-- References to it follow the name.
alter table did_anywhere rename to did;

create unique index did_called_key on did (called, coalesce(trunk, ''));
create index did_trunk on did (trunk) where trunk is not null;
create index leads_to_did on leads_to (did) where did is not null;
create index leads_to_rule on leads_to (rule) where rule is not null;
create index leads_to_room on leads_to (room) where room is not null;
create index leads_to_extension on leads_to (extension) where extension is not null;
create index leads_to_ring_group on leads_to (ring_group) where ring_group is not null;
create index leads_to_trunk on leads_to (trunk) where trunk is not null;

alter table call_record add column direction text not null default 'inbound'
    constraint call_record_direction_known check (direction in ('inbound', 'outbound'));
alter table call_record add column extension text;
