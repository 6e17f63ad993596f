-- Desk phones that fetch their settings from us.

create table phone (
    id        text    not null constraint phone_pkey primary key,
    extension text    not null constraint phone_extension_fkey references extension (id) on delete cascade,
    -- Twelve hexadecimal digits: one phone, one place.
    mac       text    not null constraint phone_mac_key unique
                               constraint phone_mac_length check (length(mac) = 12),
    family    text    not null,
    lamps     text    not null,
    -- SHA-256 of the secret in the address its settings are fetched at.
    secret    blob    not null constraint phone_secret_key unique
                               constraint phone_secret_length check (length(secret) = 32),
    expires   integer not null,
    -- The first time its password was fetched, and from where: from then on the secret is spent.
    fetched   integer,
    source    text
) strict;

create index phone_extension on phone (extension);
