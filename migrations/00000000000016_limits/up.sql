-- How often a partner may ask, over all hubs.

create table request_limits (
  partner_id bigint not null,
  per_second integer not null,
  burst integer not null,
  constraint request_limits_pk primary key (partner_id),
  constraint request_limits_of_partner foreign key (partner_id) references partners (id),
  constraint request_limits_per_second_range check (per_second between 1 and 100000),
  constraint request_limits_burst_range check (burst between 1 and 1000000)
);
comment on table request_limits is
  'How many requests a partner may send: per_second on average, burst at once. One without a row has what every partner has. The audit trail says who changed it.';

create unlogged table request_buckets (
  partner_id bigint not null,
  per_second integer not null,
  burst integer not null,
  wanted integer not null,
  granted integer not null,
  tokens double precision not null,
  filled_at timestamptz not null,
  constraint request_buckets_pk primary key (partner_id)
) with (fillfactor = 50);
comment on table request_buckets is
  'What is left of each partner''s allowance at filled_at, after the latest hub took granted of the tokens it wanted. Unlogged: after a crash every bucket is full.';

-- What is in a bucket at an instant.
create function request_tokens(tokens double precision, per_second integer, burst integer, since timestamptz, at timestamptz)
  returns double precision language sql immutable
  return least(burst, tokens + greatest(0, extract(epoch from at - since)) * per_second);

grant select, insert, update on request_limits, request_buckets to interline_app;
