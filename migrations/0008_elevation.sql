-- What of adding video to calls by a number differs from the node's rules, as JSON; an empty object is nothing.

alter table did add column elevation text not null default '{}';
