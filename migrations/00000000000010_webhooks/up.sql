-- Webhooks: where partners want to be told of events, and what they could not be told yet.

create table webhook_endpoints (
  id bigint generated always as identity,
  partner_id bigint not null,
  url text not null,
  description text,
  types text[] not null,
  state text not null default 'enabled',
  secret_version integer not null default 1,
  previous_until timestamptz,
  cursor bigint not null,
  failures integer not null default 0,
  failing_since timestamptz,
  rests_until timestamptz,
  last_success_at timestamptz,
  created_at timestamptz not null,
  holder uuid,
  held_until timestamptz,
  constraint webhook_endpoints_pk primary key (id),
  constraint webhook_endpoints_of_partner foreign key (partner_id) references partners (id),
  constraint webhook_endpoints_state_known check (state in ('enabled', 'disabled', 'failed')),
  constraint webhook_endpoints_held_whole check ((holder is null) = (held_until is null)),
  constraint webhook_endpoints_failing_whole check ((failures = 0) = (failing_since is null))
);
-- A partner's endpoints, and the check that there are at most ten.
create index webhook_endpoints_by_partner on webhook_endpoints (partner_id, id);
comment on table webhook_endpoints is
  'Where a partner is told of events. types: which, all when empty. cursor: the last place of the feed that was dealt with; what failed on the way is in webhook_deliveries. secret_version: what the secret is derived from, beside the id and a key of the hub; the one before signs too until previous_until. failures: in a row; rests_until: nothing is sent before. holder, held_until: the hub that serves it now.';

create table webhook_deliveries (
  endpoint_id bigint not null,
  event_id bigint not null,
  state text not null default 'waiting',
  attempts integer not null default 0,
  first_at timestamptz not null,
  next_at timestamptz not null,
  constraint webhook_deliveries_pk primary key (endpoint_id, event_id),
  constraint webhook_deliveries_of_endpoint foreign key (endpoint_id) references webhook_endpoints (id) on delete cascade,
  constraint webhook_deliveries_state_known check (state in ('waiting', 'dead'))
);
-- The next to be tried at an endpoint.
create index webhook_deliveries_due on webhook_deliveries (endpoint_id, next_at) where state = 'waiting';
comment on table webhook_deliveries is
  'Events that did not reach an endpoint at first, or were asked for again. dead: given up after 72 hours. What was delivered has no row. event_id: its place in the feed; below zero a ping.';

create sequence webhook_pings;

create table webhook_attempts (
  id bigint generated always as identity,
  endpoint_id bigint not null,
  event_id bigint not null,
  attempt integer not null,
  at timestamptz not null,
  took_ms integer not null,
  status smallint,
  failure text,
  answer text,
  constraint webhook_attempts_pk primary key (id),
  constraint webhook_attempts_of_endpoint foreign key (endpoint_id) references webhook_endpoints (id) on delete cascade
);
-- The latest attempts at an endpoint, and which are too many.
create index webhook_attempts_by_endpoint on webhook_attempts (endpoint_id, id);
comment on table webhook_attempts is
  'The last 1,000 attempts at each endpoint that failed or that somebody asked for or waited for. answer: how the answer began, 512 bytes at most. An event that arrives at once leaves no row.';

grant select, insert, update, delete on webhook_endpoints, webhook_deliveries to interline_app;
grant select, insert, delete on webhook_attempts to interline_app;
grant usage on sequence webhook_pings to interline_app;
