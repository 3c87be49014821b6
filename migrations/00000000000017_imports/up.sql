-- Files of members, memberships and awards, taken line by line.

create table imports (
  id bigint generated always as identity,
  partner_id bigint not null,
  kind text not null,
  format text not null,
  name text not null,
  state text not null default 'open',
  columns text,
  next_line bigint not null default 1,
  handed_in_through bigint not null default 0,
  done bigint not null default 0,
  refused bigint not null default 0,
  sums jsonb not null default '{}',
  created_by bigint not null,
  created_at timestamptz not null,
  finished_at timestamptz,
  round integer not null default 0,
  step_by bigint,
  step_line bigint not null default 0,
  spent text,
  constraint imports_pk primary key (id),
  constraint imports_of_partner foreign key (partner_id) references partners (id),
  constraint imports_kind_known check (kind in ('members', 'memberships', 'awards')),
  constraint imports_format_known check (format in ('csv', 'ndjson')),
  constraint imports_state_known check (state in ('open', 'finished', 'freezing', 'frozen', 'thawing', 'undoing', 'undone')),
  constraint imports_undone_are_awards check (state in ('open', 'finished') or kind = 'awards'),
  constraint imports_spent_known check (spent in ('owed_by_members', 'borne_by_issuer')),
  constraint imports_spent_said check ((state in ('undoing', 'undone')) = (spent is not null)),
  constraint imports_step_by_somebody check (state in ('open', 'finished') or step_by is not null),
  constraint imports_finished_whole check ((state = 'open') = (finished_at is null)),
  constraint imports_counts_not_negative check (done >= 0 and refused >= 0)
);
-- A partner's list of its imports, in pages.
create index imports_by_partner on imports (partner_id, id);
-- What is being frozen, thawed or undone, whose awards are gone through.
create index imports_to_go_on on imports (id) where state in ('freezing', 'thawing', 'undoing');
comment on table imports is
  'A file that a partner sends in pieces. columns: the first line of a CSV file. next_line: every line before it was taken, and what became of it is in import_lines. handed_in_through: no line beyond it can have taken effect. done, refused, sums (by number of currency, in smallest units): what import_lines and the journal say, kept as they grow. round: how often it was frozen. step_by: who took its last step; step_line: up to which line that is done. spent: what becomes of what an undo does not find.';

create table import_steps (
  before text not null,
  after text not null,
  constraint import_steps_pk primary key (before, after)
);
comment on table import_steps is
  'Every step an import can take from one state to another, as the code has them too.';
insert into import_steps (before, after) values
  ('open', 'finished'), ('finished', 'freezing'), ('freezing', 'frozen'), ('freezing', 'thawing'),
  ('frozen', 'thawing'), ('thawing', 'finished'), ('frozen', 'undoing'), ('undoing', 'undone');

create function import_goes_by_steps() returns trigger language plpgsql as $$
begin
  if old.state <> new.state and not exists (
      select from import_steps where before = old.state and after = new.state) then
    raise exception 'import % cannot go from % to %', new.id, old.state, new.state
      using errcode = 'check_violation', constraint = 'imports_go_by_steps';
  end if;
  return new;
end $$;
create trigger import_goes_by_steps before update of state on imports
  for each row execute function import_goes_by_steps();

create table import_lines (
  import_id bigint not null,
  line bigint not null,
  content uuid not null,
  subject_id bigint,
  code text,
  field text,
  detail text,
  constraint import_lines_pk primary key (import_id, line),
  constraint import_lines_of_import foreign key (import_id) references imports (id),
  constraint import_lines_done_or_refused check ((subject_id is null) = (code is not null)),
  constraint import_lines_refused_whole check ((code is null) = (detail is null) and (code is not null or field is null)),
  constraint import_lines_numbered_from_one check (line > 0)
);
-- The lines that were refused, in pages.
create index import_lines_refused on import_lines (import_id, line) where code is not null;
comment on table import_lines is
  'What became of each line of a file but empty ones and its header. content: a keyed hash of it, so that another line under its number is noticed. subject_id: the member, the membership or the award that it made. code, field, detail: why it was refused; it can be sent again, corrected, as long as the import is open.';

grant select on import_steps to interline_app;
grant select, insert, update on imports to interline_app;
grant select, insert, update, delete on import_lines to interline_app;
