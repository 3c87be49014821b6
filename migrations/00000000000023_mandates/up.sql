-- Mandates: who else may award a currency, as its issuer and the awarding partner agreed.

create table mandates (
  id bigint generated always as identity,
  currency_no smallint not null,
  partner_id bigint not null,
  terms jsonb not null,
  state text not null,
  content_hash bytea not null,
  proposed_by bigint not null,
  created_by bigint not null,
  created_at timestamptz not null,
  constraint mandates_pk primary key (id),
  constraint mandates_currency_known foreign key (currency_no) references currencies (no),
  constraint mandates_partner_known foreign key (partner_id) references partners (id),
  constraint mandates_state_known check (state in ('proposed', 'agreed', 'rejected', 'withdrawn', 'ended'))
);
comment on table mandates is
  'A partner that may award points of a currency it does not issue. terms: who pays what for them, for which reasons, how much, and from which day to which in the zone of the issuer. content_hash: what both partners agree to. proposed_by: the partner that did. Only state ever changes: other terms are another mandate.';

create function mandates_keep_to_their_life() returns trigger language plpgsql as $$
begin
  if (old.id, old.currency_no, old.partner_id, old.terms, old.content_hash, old.proposed_by, old.created_by, old.created_at)
    is distinct from (new.id, new.currency_no, new.partner_id, new.terms, new.content_hash, new.proposed_by,
      new.created_by, new.created_at)
  then
    raise exception 'mandate % never changes', old.id using constraint = 'mandates_never_change';
  end if;
  if (old.state, new.state) not in (
    ('proposed', 'agreed'), ('proposed', 'rejected'), ('proposed', 'withdrawn'), ('agreed', 'ended'))
  then
    raise exception 'mandate % is %', old.id, old.state using constraint = 'mandates_edges';
  end if;
  return new;
end $$;
create trigger mandates_keep_to_their_life before update on mandates
  for each row execute function mandates_keep_to_their_life();

grant select, insert, update on mandates to interline_app;
