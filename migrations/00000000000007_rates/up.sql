-- Rate cards and exchange rates: what an amount of one currency is in another.

create table rate_cards (
  id bigint generated always as identity,
  from_currency smallint not null,
  to_currency smallint not null,
  version integer not null,
  state text not null,
  terms jsonb not null,
  settlement jsonb not null,
  condition jsonb,
  priority integer not null,
  notice_days smallint not null,
  valid_from timestamptz,
  valid_to timestamptz,
  valid_from_local jsonb,
  valid_to_local jsonb,
  origin text,
  content_hash bytea not null,
  terms_hash bytea not null,
  replaced_by bigint,
  created_by bigint not null,
  created_at timestamptz not null,
  constraint rate_cards_pk primary key (id),
  constraint rate_cards_version_unique unique (from_currency, to_currency, version),
  constraint rate_cards_two_currencies check (from_currency <> to_currency),
  constraint rate_cards_from_known foreign key (from_currency) references currencies (no),
  constraint rate_cards_to_known foreign key (to_currency) references currencies (no),
  constraint rate_cards_state_known check
    (state in ('draft', 'proposed', 'published', 'rejected', 'withdrawn', 'halted')),
  constraint rate_cards_priority_small check (priority between -1000 and 1000),
  constraint rate_cards_notice_of_a_year check (notice_days between 0 and 366),
  constraint rate_cards_published_dated check (state <> 'published' or valid_from is not null),
  constraint rate_cards_ends_after_start check (valid_to >= valid_from),
  constraint rate_cards_replaced_by_known foreign key (replaced_by) references rate_cards (id),
  constraint rate_cards_replaced_at_end check (replaced_by is null or valid_to is not null),
  -- Pair and priority as one-point ranges let the built-in range operators compare them, without an extension.
  constraint rate_cards_no_overlap exclude using gist (
    int8range((from_currency::bigint << 16) | to_currency, (from_currency::bigint << 16) | to_currency, '[]') with &&,
    int4range(priority, priority, '[]') with &&,
    tstzrange(valid_from, valid_to) with &&
  ) where (state = 'published')
);
comment on table rate_cards is
  'One row per version of the terms for one direction of one pair. terms: what a member gets; settlement: what the brands pay; condition: for whom and by which channel, null for everybody; of the published cards of a pair that hold, no two have one priority, and the highest whose condition is met decides. notice_days: how long before it a change for the worse is agreed. valid_from_local, valid_to_local: the clock and the zone that the dates were written by, where they were. content_hash: what approvers agree to, keyed, so that nobody can find a price in it by trying. terms_hash: the pair and all of the card, for verify; it leaves the database nowhere. A published row never changes, but for the end of its validity where a successor (replaced_by) starts.';

-- Which version a withdrawn one would have ended.
create index rate_cards_by_replaced on rate_cards (replaced_by) where replaced_by is not null;

create function rate_cards_keep_to_their_life() returns trigger language plpgsql as $$
begin
  if old.terms <> new.terms or old.settlement <> new.settlement
    or old.condition is distinct from new.condition or old.priority <> new.priority
    or old.notice_days <> new.notice_days or old.content_hash <> new.content_hash
    or old.terms_hash <> new.terms_hash
    or old.valid_from_local is distinct from new.valid_from_local
    or old.valid_to_local is distinct from new.valid_to_local
    or old.from_currency <> new.from_currency or old.to_currency <> new.to_currency or old.version <> new.version
    or (old.valid_from is distinct from new.valid_from and (old.state, new.state) <> ('proposed', 'published'))
  then
    raise exception 'rate card % never changes', old.id using constraint = 'rate_cards_never_change';
  end if;
  if old.state <> new.state and (
    (old.state, new.state) not in (
      ('draft', 'proposed'), ('draft', 'withdrawn'),
      ('proposed', 'published'), ('proposed', 'rejected'), ('proposed', 'withdrawn'),
      ('published', 'halted'), ('published', 'withdrawn'))
    or (old.state, new.state) = ('published', 'withdrawn') and old.valid_from <= hub_now())
  then
    raise exception 'rate card % is %', old.id, old.state using constraint = 'rate_cards_edges';
  end if;
  return new;
end $$;
create trigger rate_cards_keep_to_their_life before update on rate_cards
  for each row execute function rate_cards_keep_to_their_life();

create table exchange_rates (
  id bigint generated always as identity,
  base smallint not null,
  quote smallint not null,
  rate numeric not null,
  source text not null,
  quoted_at timestamptz not null,
  created_by bigint not null,
  created_at timestamptz not null,
  constraint exchange_rates_pk primary key (id),
  constraint exchange_rates_base_known foreign key (base) references moneys (no),
  constraint exchange_rates_quote_known foreign key (quote) references moneys (no),
  constraint exchange_rates_two_moneys check (base <> quote),
  constraint exchange_rates_positive check (rate > 0)
);
-- The latest rate of a pair.
create index exchange_rates_latest on exchange_rates (base, quote, id desc);
comment on table exchange_rates is
  'Units of quote money for one of base. Rows are never changed: a quote locks one by its id.';

grant select, insert, update on rate_cards to interline_app;
grant select, insert on exchange_rates to interline_app;
