-- Who calls, how they prove it, and what they changed.

create sequence principal_ids;

create table people (
  id bigint not null default nextval('principal_ids'),
  login text not null,
  name text not null,
  role text not null,
  password_hash text,
  invitation_hash bytea,
  invited_until timestamptz,
  active boolean not null default true,
  created_at timestamptz not null default clock_timestamp(),
  constraint people_invitation_ends check (num_nulls(invitation_hash, invited_until) in (0, 2)),
  constraint people_invited_without_password check (password_hash is null or invitation_hash is null),
  constraint people_invitation_unique unique (invitation_hash),
  constraint people_pk primary key (id),
  constraint people_login_unique unique (login),
  constraint people_role_known check (role in ('finance', 'operator', 'support', 'auditor'))
);
comment on table people is
  'Employees of the hub who sign in with a password (Argon2id). Members are not people in this sense. Who has no password yet sets one with an invitation: a token of 256 random bits, of which a plain SHA-256 is enough to keep. A login is one person for ever; who is dismissed stays as not active.';

create table credentials (
  id bigint not null default nextval('principal_ids'),
  client_id text not null,
  partner_id bigint not null,
  secret_hash bytea,
  public_keys jsonb,
  scopes text[] not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  constraint credentials_prove_one_way check (num_nonnulls(secret_hash, public_keys) = 1),
  constraint credentials_pk primary key (id),
  constraint credentials_client_id_unique unique (client_id)
);
-- A partner's list of credentials, and the check that at most two are live.
create index credentials_by_partner on credentials (partner_id);
comment on table credentials is
  'A partner''s OAuth2 client credentials. Each proves itself by a secret, which has 256 random bits so that a plain SHA-256 of it is enough to keep, or by a signature that one of its public keys (JWKs) verifies. last_used_at is right to the minute.';

create table assertions (
  credential_id bigint not null,
  jti_hash bytea not null,
  until timestamptz not null,
  constraint assertions_pk primary key (credential_id, jti_hash),
  constraint assertions_of_credential foreign key (credential_id) references credentials (id)
);
-- What has ended is forgotten.
create index assertions_by_end on assertions (until);
comment on table assertions is
  'Signed assertions that got a token (RFC 7523), by the SHA-256 of their jti, until they end: none is taken twice, over any number of hubs.';

create view live_principals as
  select id, partner_id from credentials
   where revoked_at is null and (expires_at is null or expires_at > hub_now());
comment on view live_principals is
  'The programs of partners that may act now.';

create sequence session_ids;

create table sessions (
  id bigint not null default nextval('session_ids'),
  person_id bigint not null,
  token_hash bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz not null default clock_timestamp(),
  proved_at timestamptz,
  constraint sessions_pk primary key (id),
  constraint sessions_token_hash_unique unique (token_hash),
  constraint sessions_of_person foreign key (person_id) references people (id)
);
-- A person's list of sessions, and their end all at once.
create index sessions_by_person on sessions (person_id, id);
comment on table sessions is
  'People who are signed in, each once for every place. The token has 256 random bits, so that a plain SHA-256 of it is enough to keep. last_used_at is right to the minute. proved_at: when a code of the second factor was given last. A session that ends is deleted. Times are the machine''s, because a sandbox whose clock is turned signs nobody out.';

create view live_sessions as
  select s.id, s.person_id, s.token_hash, s.created_at, s.last_used_at, s.proved_at, p.role
    from sessions s join people p on p.id = s.person_id
   where p.active
     and s.created_at > clock_timestamp() - interval '12 hours'
     and s.last_used_at > clock_timestamp() - interval '30 minutes';
comment on view live_sessions is
  'Who is signed in now, and in which role: for twelve hours at most, and as long as half an hour does not go by without a request.';

create table second_factors (
  person_id bigint not null,
  version int not null default 1,
  confirmed_at timestamptz,
  last_step bigint not null default 0,
  constraint second_factors_pk primary key (person_id),
  constraint second_factors_of_person foreign key (person_id) references people (id)
);
comment on table second_factors is
  'Authenticators of people (RFC 6238). The secret is not kept: it follows from a key of the hub''s, the person and the version. last_step: no code of this step of 30 seconds, or of one before it, is taken any more.';

create table recovery_codes (
  person_id bigint not null,
  code_hash uuid not null,
  constraint recovery_codes_pk primary key (person_id, code_hash),
  constraint recovery_codes_of_person foreign key (person_id) references people (id)
);
comment on table recovery_codes is
  'What a person has on paper in place of an authenticator: keyed hashes of codes that were not used.';

create table sign_in_attempts (
  account uuid not null,
  tried timestamptz[] not null,
  until timestamptz not null,
  constraint sign_in_attempts_pk primary key (account)
);
-- What is over is forgotten.
create index sign_in_attempts_by_end on sign_in_attempts (until);
comment on table sign_in_attempts is
  'When it was tried within the last minute to sign in to an account, over all hubs. account: a keyed hash of the login, whether there is such a person or not.';

create table audit (
  position bigint not null,
  at timestamptz not null default hub_now(),
  principal_id bigint not null,
  request_id uuid not null,
  origin text not null default 'hub',
  subject text not null,
  subject_id bigint not null,
  before text,
  after text not null,
  concerns bigint[],
  constraint audit_pk primary key (position)
);
-- The history of one subject, newest last.
create index audit_by_subject on audit (subject, subject_id, position);
comment on table audit is
  'One row per change of state: who, what, when, in which request, from where. Operations that move points carry who, when and the request on their own row, and from where on that of their group. origin: the network the request came from, never an address; console for the command line, hub for what the hub does by itself. position: its place among all that happens, operations too; audit_places gives it. concerns: the partners who are told, all of them when null. Sealed with the groups, append-only.';

grant usage on sequence principal_ids, session_ids to interline_app;
grant select, insert, update on people, credentials to interline_app;
grant select, insert, delete on assertions to interline_app;
grant select, insert, update, delete on sessions, second_factors, recovery_codes, sign_in_attempts to interline_app;
grant select on live_principals, live_sessions to interline_app;
grant select, insert on audit to interline_app;
