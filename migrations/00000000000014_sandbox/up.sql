-- What a database is for, and what only a sandbox has.

create table environment (
  one boolean not null default true,
  kind text not null,
  made_at timestamptz not null default clock_timestamp(),
  constraint environment_pk primary key (one),
  constraint environment_has_one_row check (one),
  constraint environment_kind_known check (kind in ('live', 'sandbox'))
);
comment on table environment is
  'One row, written when the first hub opens the database and never changed: whether real members are here, or this is a sandbox, where partners try things out.';

create function environment_never_changes() returns trigger language plpgsql as $$
begin
  raise exception 'what a database is for never changes'
    using errcode = 'check_violation', constraint = 'environment_never_changes';
end $$;
create trigger environment_never_changes before update or delete or truncate on environment
  for each statement execute function environment_never_changes();

create function in_sandbox() returns boolean language sql stable
  as $$ select exists (select from environment where kind = 'sandbox') $$;

-- Hubs change the clock by this door only, and it is closed where real members are.
revoke update on control from interline_app;
grant update (version, group_base) on control to interline_app;

create function turn_clock(seconds bigint) returns void language plpgsql security definer
  set search_path = public, pg_temp as $$
begin
  if not in_sandbox() then
    raise exception 'the clock of a live hub is never turned'
      using errcode = 'check_violation', constraint = 'clock_of_a_sandbox';
  end if;
  update control set clock_offset = clock_offset + make_interval(secs => seconds::double precision);
end $$;
revoke execute on function turn_clock(bigint) from public;
grant execute on function turn_clock(bigint) to interline_app;

create table played_outcomes (
  key_hash uuid not null,
  outcome text not null,
  played_at timestamptz not null default clock_timestamp(),
  constraint played_outcomes_pk primary key (key_hash)
);
comment on table played_outcomes is
  'Of a sandbox: requests that met an outcome that is played once, by a keyed hash of partner, path and Idempotency-Key. The same key meets it no second time.';

create table certification_runs (
  id bigint generated always as identity,
  partner_id bigint not null,
  started_at timestamptz not null,
  closed_at timestamptz,
  report jsonb,
  passed boolean,
  constraint certification_runs_pk primary key (id),
  constraint certification_runs_of_partner foreign key (partner_id) references partners (id),
  constraint certification_runs_closed_whole check (num_nonnulls(closed_at, report, passed) in (0, 3))
);
-- One run of a partner is open at a time, and it is looked for at each of its requests.
create unique index certification_runs_open on certification_runs (partner_id) where closed_at is null;
-- A partner's runs, newest first.
create index certification_runs_by_partner on certification_runs (partner_id, id);
comment on table certification_runs is
  'Of a sandbox: a partner shows that its program does what is asked for. report: the checks as they were when the run was closed.';

create table certification_calls (
  id bigint generated always as identity,
  run_id bigint not null,
  at timestamptz not null,
  path text not null,
  key_hash uuid,
  body_hash uuid not null,
  has_cursor boolean not null,
  is_dropped boolean not null,
  status smallint not null,
  code text,
  answer_hash uuid not null,
  constraint certification_calls_pk primary key (id),
  constraint certification_calls_of_run foreign key (run_id) references certification_runs (id)
);
-- What a run is judged by, in order.
create index certification_calls_by_run on certification_calls (run_id, id);
comment on table certification_calls is
  'Of a sandbox: what a partner''s program asked while a run was open, and how it was answered. Keys, bodies and answers by keyed hashes only. is_dropped: the connection was closed in place of the answer. Append-only.';

grant select, insert on environment, played_outcomes, certification_calls to interline_app;
grant select, insert, update on certification_runs to interline_app;
