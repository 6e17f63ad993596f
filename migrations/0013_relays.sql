-- Relays: processes in customers' networks that carry a trunk's SIP and audio.

create table relay (
    id      text    not null constraint relay_pkey primary key,
    name    text    not null constraint relay_name_length check (length(name) between 1 and 200)
                    constraint relay_name_key unique,
    -- SHA-256 of what the relay shows; the secret itself is not kept.
    hash    blob    not null constraint relay_hash_key unique,
    created integer not null
) strict;

alter table trunk add column relay text references relay (id);
create index trunk_relay on trunk (relay) where relay is not null;
