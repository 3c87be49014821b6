-- What every part of the hub stands on: the role it works as, its clock, its keys, and the
-- answers it has already given.

do $$
begin
  create role interline_app nologin;
exception
  -- Roles belong to the whole server: another database, or another hub at this instant, made it.
  when duplicate_object or unique_violation then null;
end $$;

do $$
begin
  execute format('grant interline_app to %I', current_user);
exception
  when unique_violation then null;
end $$;

grant usage on schema public to interline_app;

create table control (
  one boolean primary key default true,
  version bigint not null default 1,
  clock_offset interval not null default interval '0',
  group_base bigint not null default 0,
  constraint control_has_one_row check (one),
  constraint control_clock_goes_forward check (clock_offset >= interval '0')
);
comment on table control is
  'One row. version counts publications (partners, currencies, cards, exchange rates), so that every hub knows in one read whether what it holds in memory is current. clock_offset turns a sandbox''s clock forward; it is zero where real members are. group_base is added to transaction ids after a restore; it only grows, and changes under the gate or while no hub runs.';
insert into control default values;

create function hub_now() returns timestamptz language sql volatile
  as $$ select clock_timestamp() + clock_offset from control $$;

create table secrets (
  purpose text not null,
  generation smallint not null,
  value bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint secrets_pk primary key (purpose, generation)
);
comment on table secrets is
  'Keys the hub makes for itself at its first start: token signing, quotes, keyed hashes, public ids. All hubs on one database share them.';

create table answers (
  scope_key uuid not null,
  body_hash uuid not null,
  status smallint not null,
  body jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint answers_pk primary key (scope_key)
);
comment on table answers is
  'The answer given to an Idempotency-Key, for writes that move no points (those keep the key on their operation). Written in the transaction of the effect; scope_key is a keyed hash of caller, endpoint and key.';

grant select, update on control to interline_app;
grant select, insert on secrets to interline_app;
grant select, insert, update, delete on answers to interline_app;
