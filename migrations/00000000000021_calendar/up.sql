-- When windows close by themselves.

create table settlement_calendar (
  one boolean not null default true,
  calendar jsonb not null,
  set_by bigint not null,
  set_at timestamptz not null,
  constraint settlement_calendar_pk primary key (one),
  constraint settlement_calendar_has_one_row check (one)
);
comment on table settlement_calendar is
  'At most one row: the instants at which the open window closes, as finance set them. Due is the first of them after both the window opened and the calendar was set. What was there before is in the audit trail.';

grant select, insert, update on settlement_calendar to interline_app;
