-- Who holds which memberships. The journal knows wallets only; this is the one place that says
-- whose they are, so erasing a member here leaves every total as it was.

create table members (
  id bigint generated always as identity,
  created_at timestamptz not null,
  constraint members_pk primary key (id)
);
comment on table members is 'A person at the hub. Nothing about the person stands here.';

create table memberships (
  id bigint generated always as identity,
  member_id bigint not null,
  partner_id bigint not null,
  number text not null,
  claims jsonb not null default '{}',
  joined_at timestamptz not null,
  linked_at timestamptz,
  constraint memberships_pk primary key (id),
  constraint memberships_of_member foreign key (member_id) references members (id),
  constraint memberships_with_partner foreign key (partner_id) references partners (id),
  constraint memberships_number_unique unique (partner_id, number),
  constraint memberships_one_per_partner unique (member_id, partner_id)
);
-- A partner's list of its members, in pages.
create index memberships_by_partner on memberships (partner_id, id);
comment on table memberships is
  'The link of a member to a partner''s programme: that programme''s number, and the facts (claims) it attests. linked_at: when a link made it this member''s; null for one that was the member''s from the beginning.';

create table wallets (
  id bigint not null,
  constraint wallets_pk primary key (id),
  constraint wallets_id_names_asset check (((id >> 44) & 16383) >= 1000)
);
comment on table wallets is
  'One row per wallet, locked by whoever moves its points and never updated. The id carries the currency and is otherwise random, so it tells nothing about the member.';

create table member_wallets (
  member_id bigint not null,
  currency_no smallint not null,
  wallet_id bigint not null,
  linked_at timestamptz,
  constraint member_wallets_pk primary key (member_id, currency_no),
  constraint member_wallets_wallet_unique unique (wallet_id),
  constraint member_wallets_of_member foreign key (member_id) references members (id)
);
comment on table member_wallets is 'Whose wallet it is: the only link between a person and the journal. linked_at: that of the membership, where a quote reads it.';

create table wallet_moves (
  wallet_id bigint not null,
  at timestamptz not null,
  constraint wallet_moves_pk primary key (wallet_id)
);
comment on table wallet_moves is
  'Wallets that an unlinked membership took along, and when: no quote from before is taken. Forgotten an hour later, when every such quote has ended.';
grant select, insert, update, delete on wallet_moves to interline_app;

create table link_uses (
  id uuid not null,
  until timestamptz not null,
  constraint link_uses_pk primary key (id)
);
-- Those that have ended are forgotten.
create index link_uses_by_end on link_uses (until);
comment on table link_uses is
  'Link tokens that linked a membership, until they end: none does twice, over any number of hubs.';
grant select, insert, delete on link_uses to interline_app;

grant select, insert, update, delete on members, memberships, member_wallets to interline_app;
-- Update is what a row lock asks for; the rows have nothing to change.
grant select, insert, update on wallets to interline_app;
