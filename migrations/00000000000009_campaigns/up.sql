-- Campaigns: bonuses beside the rate cards, for a time.

create table campaigns (
  id bigint generated always as identity,
  name text not null,
  name_zh text not null,
  sources smallint[] not null,
  target smallint not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  terms jsonb not null,
  state text not null,
  halted smallint[] not null default '{}',
  content_hash bytea not null,
  terms_hash bytea not null,
  created_by bigint not null,
  created_at timestamptz not null,
  constraint campaigns_pk primary key (id),
  constraint campaigns_target_known foreign key (target) references currencies (no),
  constraint campaigns_have_routes check (cardinality(sources) > 0 and target <> all (sources)),
  constraint campaigns_halted_routes check (halted <@ sources),
  constraint campaigns_end_after_start check (ends_at > starts_at),
  constraint campaigns_state_known check
    (state in ('draft', 'proposed', 'published', 'rejected', 'withdrawn', 'halted'))
);
comment on table campaigns is
  'A bonus for conversions of any of sources into target, from starts_at up to ends_at. terms: what it gives, to whom, and who pays. halted: what is given on the routes that somebody stopped. content_hash: what approvers agree to, keyed. terms_hash: the same content, for verify; it leaves the database nowhere. Only state and halted ever change.';

create function campaigns_keep_to_their_life() returns trigger language plpgsql as $$
begin
  if (old.id, old.name, old.name_zh, old.sources, old.target, old.starts_at, old.ends_at, old.terms, old.content_hash,
      old.terms_hash, old.created_by, old.created_at)
    is distinct from (new.id, new.name, new.name_zh, new.sources, new.target, new.starts_at, new.ends_at, new.terms,
      new.content_hash, new.terms_hash, new.created_by, new.created_at)
    or not old.halted <@ new.halted
  then
    raise exception 'campaign % never changes', old.id using constraint = 'campaigns_never_change';
  end if;
  if old.state <> new.state and (
    (old.state, new.state) not in (
      ('draft', 'proposed'), ('draft', 'withdrawn'),
      ('proposed', 'published'), ('proposed', 'rejected'), ('proposed', 'withdrawn'),
      ('published', 'halted'), ('published', 'withdrawn'))
    or (old.state, new.state) = ('published', 'withdrawn') and old.starts_at <= hub_now())
  then
    raise exception 'campaign % is %', old.id, old.state using constraint = 'campaigns_edges';
  end if;
  return new;
end $$;
create trigger campaigns_keep_to_their_life before update on campaigns
  for each row execute function campaigns_keep_to_their_life();

create table campaign_registrations (
  campaign_id bigint not null,
  wallet bigint not null,
  registered_by bigint not null,
  registered_at timestamptz not null,
  constraint campaign_registrations_pk primary key (campaign_id, wallet),
  constraint campaign_registrations_of_campaign foreign key (campaign_id) references campaigns (id)
);
comment on table campaign_registrations is
  'The wallets that may have the bonus of a campaign that is for registered members only. No member is named here.';

grant select, insert, update on campaigns to interline_app;
grant select, insert on campaign_registrations to interline_app;
