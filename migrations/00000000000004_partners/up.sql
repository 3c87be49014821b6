-- Who takes part, and the currencies they issue.

create table moneys (
  no smallint not null,
  code text not null,
  scale smallint not null,
  constraint moneys_pk primary key (no),
  constraint moneys_code_unique unique (code),
  constraint moneys_no_is_iso check (no between 1 and 999),
  constraint moneys_code_is_iso check (code ~ '^[A-Z]{3}$'),
  constraint moneys_scale_range check (scale between 0 and 3)
);
comment on table moneys is
  'Settlement moneys: ISO 4217 numeric and alphabetic codes, and the decimals in which payments are made (TWD is paid in whole dollars, though ISO lists two decimals).';
insert into moneys (no, code, scale) values
  (36, 'AUD', 2), (124, 'CAD', 2), (156, 'CNY', 2), (208, 'DKK', 2), (344, 'HKD', 2),
  (356, 'INR', 2), (360, 'IDR', 2), (392, 'JPY', 0), (410, 'KRW', 0), (414, 'KWD', 3),
  (446, 'MOP', 2), (458, 'MYR', 2), (554, 'NZD', 2), (578, 'NOK', 2), (608, 'PHP', 2),
  (682, 'SAR', 2), (702, 'SGD', 2), (704, 'VND', 0), (710, 'ZAR', 2), (752, 'SEK', 2),
  (756, 'CHF', 2), (764, 'THB', 2), (784, 'AED', 2), (826, 'GBP', 2), (840, 'USD', 2),
  (901, 'TWD', 0), (949, 'TRY', 2), (978, 'EUR', 2), (985, 'PLN', 2), (986, 'BRL', 2);

create table partners (
  id bigint generated always as identity,
  code text not null,
  name text not null,
  name_zh text,
  kind text not null,
  state text not null,
  last_day date,
  ends_at timestamptz,
  money smallint not null,
  zone text not null,
  created_at timestamptz not null,
  pilot jsonb,
  constraint partners_pk primary key (id),
  constraint partners_code_unique unique (code),
  constraint partners_code_form check (code ~ '^[A-Z][A-Z0-9]{1,15}$'),
  constraint partners_money_known foreign key (money) references moneys (no),
  constraint partners_state_known check (state in ('draft', 'sandbox', 'certifying', 'pending_approval', 'live', 'suspended', 'winding_down', 'closed')),
  constraint partners_end_whole check ((last_day is null) = (ends_at is null)),
  constraint partners_wind_down_to_a_day check (state <> 'winding_down' or last_day is not null)
);
comment on table partners is
  'A brand with an account at the hub. money: what it settles in. zone: the IANA zone of its business dates. last_day: of one that winds down, over at ends_at. pilot: how far it goes for now, null when as far as its state allows; src/partners/pilots/pilot.rs says its form.';

create table partner_steps (
  before text not null,
  after text not null,
  constraint partner_steps_pk primary key (before, after)
);
comment on table partner_steps is
  'Every step a partner can take from one state to another, as the code has them too.';
insert into partner_steps (before, after) values
  ('draft', 'sandbox'), ('draft', 'closed'),
  ('sandbox', 'certifying'), ('sandbox', 'closed'),
  ('certifying', 'sandbox'), ('certifying', 'pending_approval'), ('certifying', 'closed'),
  ('pending_approval', 'sandbox'), ('pending_approval', 'live'), ('pending_approval', 'closed'),
  ('live', 'suspended'), ('live', 'winding_down'),
  ('suspended', 'live'), ('suspended', 'winding_down'),
  ('winding_down', 'live'), ('winding_down', 'closed');

-- A partner begins as a draft and goes only where a step leads.
create function partner_goes_by_steps() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.state <> 'draft' then
      raise exception 'partner % begins as %, and all begin as drafts', new.code, new.state
        using errcode = 'check_violation', constraint = 'partners_go_by_steps';
    end if;
  elsif old.state <> new.state and not exists (
      select from partner_steps where before = old.state and after = new.state) then
    raise exception 'partner % cannot go from % to %', new.code, old.state, new.state
      using errcode = 'check_violation', constraint = 'partners_go_by_steps';
  elsif old.state = 'winding_down' and new.state = 'live' then
    if old.ends_at <= hub_now() or new.last_day is not null then
      raise exception 'partner % goes on before its last day is over, and without one', new.code
        using errcode = 'check_violation', constraint = 'partners_go_by_steps';
    end if;
  elsif old.last_day is not null and (old.last_day, old.ends_at) is distinct from (new.last_day, new.ends_at) then
    raise exception 'the last day of partner % is said', new.code
      using errcode = 'check_violation', constraint = 'partners_go_by_steps';
  end if;
  return new;
end $$;
create trigger partners_go_by_steps before insert or update on partners
  for each row execute function partner_goes_by_steps();

create table certifications (
  id bigint generated always as identity,
  partner_id bigint not null,
  checks jsonb not null,
  passed boolean not null,
  recorded_by bigint not null,
  recorded_at timestamptz not null,
  constraint certifications_pk primary key (id),
  constraint certifications_of_partner foreign key (partner_id) references partners (id)
);
-- The latest of a partner.
create index certifications_by_partner on certifications (partner_id, id);
comment on table certifications is
  'What a partner''s program was seen to do: checks, each with its name and whether it passed. passed: all of them did. Append-only.';

-- Credentials came before there were partners to refer to.
alter table credentials add constraint credentials_of_partner foreign key (partner_id) references partners (id);

-- Who is not there yet, or not any more, has no credentials.
create function credential_of_open_partner() returns trigger language plpgsql as $$
begin
  if exists (select from partners where id = new.partner_id and state in ('draft', 'closed')) then
    raise exception 'partner % takes no part', new.partner_id
      using errcode = 'check_violation', constraint = 'credentials_of_open_partner';
  end if;
  return new;
end $$;
create trigger credentials_of_open_partner before insert on credentials
  for each row execute function credential_of_open_partner();

create table currencies (
  no smallint generated always as identity (start with 1000 maxvalue 16383),
  code text not null,
  name text not null,
  name_zh text,
  scale smallint not null,
  issuer_id bigint not null,
  expiry jsonb not null,
  expiry_notice_days smallint[] not null default '{30,7}',
  display_value numeric not null,
  kept_by text not null default 'hub',
  created_at timestamptz not null,
  constraint currencies_pk primary key (no),
  constraint currencies_code_unique unique (code),
  constraint currencies_code_form check (code ~ '^[A-Z][A-Z0-9]{1,15}$'),
  constraint currencies_scale_range check (scale between 0 and 4),
  constraint currencies_issuer_known foreign key (issuer_id) references partners (id),
  constraint currencies_display_value_range check (display_value >= 0),
  constraint currencies_kept_by_known check (kept_by in ('hub', 'partner'))
);
comment on table currencies is
  'A loyalty currency. no is its number among assets (moneys are below 1000) and part of every account id. display_value: what its issuer says one printed unit is worth to a member, in the issuer''s money. expiry: the policy for new lots. expiry_notice_days: how many days before a lot expires its issuer is told. kept_by: who keeps its balances; where that is its issuer, the ids of its wallets say so and they hold nothing.';

create table award_limits (
  currency_no smallint not null,
  limits jsonb not null,
  set_by bigint not null,
  set_at timestamptz not null,
  constraint award_limits_pk primary key (currency_no),
  constraint award_limits_of_currency foreign key (currency_no) references currencies (no)
);
comment on table award_limits is
  'How much (units, the smallest) or how often (times) the issuer of a currency lets a member be awarded it for a reason within a period. The audit trail says who changed them; awards that are counted say so in the journal.';

create table link_terms (
  partner_id bigint not null,
  cooling_off_hours integer not null,
  max_age integer,
  acr_values text[] not null,
  constraint link_terms_pk primary key (partner_id),
  constraint link_terms_of_partner foreign key (partner_id) references partners (id),
  constraint link_terms_cooling_off_range check (cooling_off_hours between 0 and 8760),
  constraint link_terms_max_age_range check (max_age between 1 and 86400),
  constraint link_terms_acr_values_few check (cardinality(acr_values) <= 10)
);
comment on table link_terms is
  'What a programme asks before points of its members leave it. cooling_off_hours: for how long after a link nothing is converted over it. max_age, in seconds, and acr_values: what a member''s token has to prove. A partner without a row asks for nothing. The audit trail says who changed them.';

grant select on moneys, partner_steps to interline_app;
grant select, insert on certifications to interline_app;
grant select, insert, update on partners, award_limits, link_terms to interline_app;
grant select, insert on currencies to interline_app;
