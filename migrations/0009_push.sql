-- Browsers that take notifications instead of texts, by the telephone number whose owner wanted it.

create table push_subscription (
    number   text    not null,
    -- An address that opens a way to this browser: readable, because it is written to.
    endpoint text    not null constraint push_subscription_endpoint_length check (length(endpoint) between 1 and 1024),
    key      blob    not null constraint push_subscription_key_length check (length(key) = 65),
    auth     blob    not null constraint push_subscription_auth_length check (length(auth) = 16),
    -- When a text that came to the number last proved that the browser is its owner's.
    proved   integer not null,
    -- A browser may be that of two numbers.
    constraint push_subscription_pkey primary key (number, endpoint)
) strict, without rowid;

create index push_subscription_endpoint on push_subscription (endpoint);
create index push_subscription_proved on push_subscription (proved);
