-- When a browser was last there: those that nobody comes back to are forgotten.

alter table device add column seen integer not null default 0;
update device set seen = created;
