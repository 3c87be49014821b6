-- What of the hub's own people waits for a second operator.

create table person_proposals (
  person_id bigint not null,
  role text,
  proposed_by bigint not null,
  proposed_at timestamptz not null,
  constraint person_proposals_pk primary key (person_id),
  constraint person_proposals_of_person foreign key (person_id) references people (id),
  constraint person_proposals_role_known check (role in ('finance', 'operator', 'support', 'auditor'))
);
comment on table person_proposals is
  'A role that somebody shall have, or, without one, a way in anew: no password and no second factor until the person sets them again. Deleted when it is decided.';

grant select, insert, update, delete on person_proposals to interline_app;
