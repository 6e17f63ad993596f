-- Printed codes: each begins calls, with what is known of whom it was printed for.

create table printed_code (
    id         text    not null constraint printed_code_pkey primary key,
    title      text    not null constraint printed_code_title_length check (length(title) between 1 and 64),
    -- Where it leads: a room, or a number or user as dialled in the house. No reference: a code whose room is gone says so.
    room       text,
    called     text    constraint printed_code_called_length check (length(called) between 1 and 255),
    name       text,
    context    text    constraint printed_code_context_length check (length(context) <= 256),
    -- SHA-256 of the end of its link and of its digits; neither itself is kept.
    link       blob    not null constraint printed_code_link_key unique
                       constraint printed_code_link_length check (length(link) = 32),
    digits     blob    not null constraint printed_code_digits_key unique
                       constraint printed_code_digits_length check (length(digits) = 32),
    -- Milliseconds since 1970, as all times here.
    valid_from integer,
    expires    integer,
    uses       integer constraint printed_code_uses check (uses > 0),
    used       integer not null default 0,
    per_hour   integer not null constraint printed_code_per_hour check (per_hour > 0),
    created    integer not null,
    last_used  integer,
    revoked    integer,
    constraint printed_code_leads check ((room is null) <> (called is null))
) strict;

create index printed_code_created on printed_code (created desc, id desc);
