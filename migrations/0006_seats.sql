-- What brings people back to a place on which a use of an invitation was spent, after the program ended.

create table seat (
    id          text    not null constraint seat_pkey primary key,
    invitation  text    not null constraint seat_invitation_fkey references invitation (id) on delete cascade,
    participant text    not null,
    hash        blob    not null constraint seat_hash_key unique
                                 constraint seat_hash_length check (length(hash) = 32),
    created     integer not null
) strict;

create index seat_invitation on seat (invitation);

-- When somebody was last in a room that was made without an account.
alter table open_room add column used integer not null default 0;
update open_room set used = created;
