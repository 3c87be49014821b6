-- Everything that needs a second person.

create table approvals (
  id bigint generated always as identity,
  subject text not null,
  subject_id bigint not null,
  subject_shown text not null,
  content_hash bytea not null,
  proposed jsonb,
  parties text[] not null,
  state text not null default 'created',
  created_by bigint not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  constraint approvals_pk primary key (id),
  constraint approvals_state_known check (state in ('created', 'approved', 'rejected', 'expired', 'cancelled')),
  constraint approvals_closed_hold_nothing check (proposed is null or state = 'created'),
  constraint approvals_name_parties check (cardinality(parties) > 0)
);
-- The latest request for a subject, whatever its state.
create index approvals_by_subject on approvals (subject, subject_id, id);
-- One open request for a subject at a time, however many ask at once.
create unique index approvals_one_open on approvals (subject, subject_id) where state = 'created';
comment on table approvals is
  'A request that named parties agree to exactly what content_hash covers. parties: hub, or partner:ID. subject_shown: the subject''s public id. proposed: what is wanted of the subject, where no row of its own holds that; it may be confidential and is gone when the approval closes.';

create table approval_decisions (
  approval_id bigint not null,
  party text not null,
  principal_id bigint not null,
  verdict text not null,
  decided_at timestamptz not null,
  constraint approval_decisions_pk primary key (approval_id, party),
  constraint approval_decisions_of_approval foreign key (approval_id) references approvals (id),
  constraint approval_decisions_one_voice unique (approval_id, principal_id),
  constraint approval_decisions_verdict_known check (verdict in ('proposed', 'approved', 'rejected'))
);
comment on table approval_decisions is
  'What each party said. A partner that makes a request has spoken with it (proposed). A person of the hub has not: the hub''s word needs another person. Nobody speaks twice.';

grant select, insert, update on approvals to interline_app;
grant select, insert on approval_decisions to interline_app;
