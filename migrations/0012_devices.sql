-- The devices of people of the house: browsers and programs that were registered, and what is allowed of telephones.

create table device (
    id           text    not null constraint device_pkey primary key,
    extension    text    not null constraint device_extension_fkey references extension (id) on delete cascade,
    kind         text    not null constraint device_kind check (kind in ('telephone', 'browser', 'app')),
    name         text    not null constraint device_name_length check (length(name) between 1 and 64),
    -- JSON: ["audio", "video"].
    capabilities text    not null,
    transfers    text    not null constraint device_transfers check (transfers in ('never', 'ask', 'at_once')),
    camera       integer not null constraint device_camera check (camera in (0, 1)),
    -- SHA-256 of what a browser shows to be known as this device again; none of telephones and programs.
    key          blob             constraint device_key_length check (length(key) = 32),
    created      integer not null
) strict;

create index device_extension on device (extension);

-- Personal links: who has one sees and moves the calls of its person. Hashes alone.
create table personal_link (
    hash      blob    not null constraint personal_link_pkey primary key
                               constraint personal_link_hash_length check (length(hash) = 32),
    extension text    not null constraint personal_link_extension_fkey references extension (id) on delete cascade,
    expires   integer not null
) strict, without rowid;

-- Whether calls follow a person by themselves; no row is no.
create table habit (
    extension text    not null constraint habit_pkey primary key
                               constraint habit_extension_fkey references extension (id) on delete cascade,
    follow    integer not null constraint habit_follow check (follow in (0, 1))
) strict, without rowid;
