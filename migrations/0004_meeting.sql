-- Invitations to rooms, and pictures of people in them.

create table invitation (
    id       text    not null constraint invitation_pkey primary key,
    room     text    not null constraint invitation_room_fkey references room (id) on delete cascade,
    -- SHA-256 of 130 random bits: nothing to salt, nothing to guess.
    hash     blob    not null constraint invitation_hash_key unique
                              constraint invitation_hash_length check (length(hash) = 32),
    role     text    not null constraint invitation_role_known check (role in ('host', 'member', 'guest')),
    name     text             constraint invitation_name_length check (length(name) between 1 and 64),
    personal integer not null constraint invitation_personal_boolean check (personal in (0, 1)),
    uses     integer          constraint invitation_uses_range check (uses >= 1),
    used     integer not null constraint invitation_used_range check (used >= 0),
    created  integer not null,
    expires  integer,
    revoked  integer
) strict;

create index invitation_room on invitation (room, created);

-- A room that somebody without an account made on a node that lets them.
create table open_room (
    room    text    not null constraint open_room_pkey primary key
                             constraint open_room_room_fkey references room (id) on delete cascade,
    created integer not null
) strict;

create table picture (
    -- A name that nobody guesses: whoever may see the roster knows it.
    id      text    not null constraint picture_pkey primary key
                             constraint picture_id_length check (length(id) = 26),
    kind    text    not null constraint picture_kind_known check (kind in ('image/png', 'image/jpeg', 'image/webp')),
    body    blob    not null constraint picture_body_length check (length(body) between 1 and 262144),
    created integer not null
) strict;

create index picture_created on picture (created);
