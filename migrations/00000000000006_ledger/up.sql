-- The two books: points and money, one journal.
--
-- Account ids say what they are (see points/account.rs): asset << 44 | kind << 39 | rest.
-- A journal row is a leg out of a wallet and a leg into one; each is a whole transfer, because the
-- account at its other end follows from kind and asset. So an unbalanced entry cannot be written.

create function asset_of(account bigint) returns integer language sql immutable
  as $$ select ((account >> 44) & 16383)::integer $$;

-- An instant as a number: microseconds since 2000, the outermost numbers for the infinities.
create function instant_micros(instant timestamptz) returns bigint language sql immutable as $$
  select case instant
    when 'infinity' then 9223372036854775807
    when '-infinity' then (-9223372036854775808)::bigint
    else (extract(epoch from instant) * 1000000)::bigint - 946684800000000 end
$$;

create table windows (
  id bigint generated always as identity,
  state text not null default 'open',
  opened_at timestamptz not null,
  closed_at timestamptz,
  closed_by bigint,
  content_hash bytea,
  constraint windows_pk primary key (id),
  constraint windows_state_known check (state in ('open', 'closed')),
  constraint windows_closed_whole check
    ((state = 'closed') = (closed_at is not null and closed_by is not null and content_hash is not null))
);
-- There is exactly one open window: the one that postings fall into.
create unique index windows_one_open on windows (state) where state = 'open';
comment on table windows is
  'The period that postings fall into. Closing opens the next in the same transaction; a closed window never changes.';
insert into windows (opened_at) values (clock_timestamp());

create function windows_stay_closed() returns trigger language plpgsql as $$
begin
  if old.state = 'closed' then
    raise exception 'window % is closed and never changes', old.id using constraint = 'windows_stay_closed';
  end if;
  return new;
end $$;
create trigger windows_stay_closed before update or delete on windows
  for each row execute function windows_stay_closed();

create table groups (
  id bigint not null,
  window_id bigint not null,
  at timestamptz not null,
  size smallint not null,
  rules smallint not null,
  origins text not null,
  digest bytea not null,
  constraint groups_pk primary key (id),
  constraint groups_not_empty check (size > 0)
);
-- The range of groups that makes up a window.
create index groups_by_window on groups (window_id, id);
comment on table groups is
  'One row per transaction that moved points. id: the transaction''s id plus control.group_base. rules: version of the function that turns figures into transfers. origins: where its operations were asked for, in their order, as audit says it; *3 for three in a row. digest: SHA-256 over the canonical form of the group''s operations.';

create function groups_in_open_window() returns trigger language plpgsql as $$
begin
  if not exists (select from windows where id = new.window_id and state = 'open') then
    raise exception 'window % is not open', new.window_id using constraint = 'groups_in_open_window';
  end if;
  if (select max(last_group) from seals) >= new.id then
    raise exception 'group % would come before what is sealed: control.group_base is too low', new.id using constraint = 'groups_after_seals';
  end if;
  return new;
end $$;
create trigger groups_in_open_window before insert on groups
  for each row execute function groups_in_open_window();

create table seals (
  id bigint not null,
  first_group bigint not null,
  last_group bigint not null,
  groups bigint not null,
  operations bigint not null,
  changes bigint not null,
  hash bytea not null,
  at timestamptz not null,
  constraint seals_pk primary key (id),
  constraint seals_first_group_unique unique (first_group),
  constraint seals_last_group_unique unique (last_group),
  constraint seals_of_something check (id > 0 and first_group <= last_group and groups + changes > 0 and operations >= groups)
);
comment on table seals is
  'Finished groups and the changes of the audit trail, chained in the order of their transactions: 1, 2, 3 and so on without gaps. first_group, last_group: numbers of transactions, whether they moved points or changed something else. hash: SHA-256 over the hash before, these numbers, the groups and the changes; src/ledger/seals/seal.rs says it byte by byte. Append-only.';

-- The first of some places for the changes of this transaction: behind its operations and its changes so far.
create function audit_places(count integer) returns bigint language plpgsql as $$
declare
  number bigint;
  first bigint;
begin
  select pg_current_xact_id()::text::bigint + group_base into number from control;
  if (select max(last_group) from seals) >= number then
    raise exception 'a change of transaction % would come before what is sealed: control.group_base is too low', number using constraint = 'audit_after_seals';
  end if;
  select 1 + coalesce(max(position), (number << 12) + 2047) into first from audit
   where position between number << 12 and (number << 12) + 4095;
  if (first + count - 1) >> 12 > number then
    raise exception 'a transaction makes 2,048 changes at most: do it in parts' using constraint = 'audit_fits';
  end if;
  return first;
end $$;

create table operations (
  id bigint not null,
  kind smallint not null,
  at timestamptz not null,
  out_wallet bigint,
  out_expires_at timestamptz,
  out_amount bigint,
  in_wallet bigint,
  in_expires_at timestamptz,
  in_amount bigint,
  out_previous bigint,
  in_previous bigint,
  pays bigint,
  paid bigint,
  gross bigint,
  commission bigint,
  net bigint,
  converted bigint,
  value bigint,
  residual bigint,
  card_id bigint,
  exchange_rate_id bigint,
  quote uuid,
  follows bigint,
  key_hash uuid not null,
  body_hash uuid not null,
  principal_id bigint not null,
  request_id uuid not null,
  memo jsonb,
  transfers smallint,
  constraint operations_pk primary key (id),
  constraint operations_kind_known check (kind in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16)),
  constraint operations_move_something check (out_wallet is not null or in_wallet is not null),
  constraint operations_out_whole check ((out_wallet is null) = (out_amount is null) and out_amount > 0),
  constraint operations_in_whole check ((in_wallet is null) = (in_amount is null) and in_amount > 0),
  constraint operations_money_whole check (
    num_nulls(pays, paid, gross, commission, net, converted, value, residual) in (0, 8)),
  constraint operations_money_balances check (
    gross = commission + net and converted = value + residual and commission >= 0 and value >= 0
    and (follows is not null or net >= 0 and residual >= 0)),
  constraint operations_one_money_unconverted check (((pays # paid) >> 44) & 16383 <> 0 or net = converted),
  constraint operations_follow_known check ((follows is not null) = (kind in (6, 7, 9, 11, 12, 13, 16)))
);
-- One effect per key, whatever is sent how often and to which hub.
create unique index operations_key_unique on operations (key_hash);
-- A quote is taken once. Quote ids are time-ordered, so this index grows at its end.
create unique index operations_quote_unique on operations (quote) where quote is not null;
-- A wallet begins once, also when two groups find it empty at the same time.
create unique index operations_wallet_begins_once on operations (in_wallet) where in_previous is null and in_wallet is not null;
-- What has followed an operation so far; few rows have it.
create index operations_by_followed on operations (follows, id) where follows is not null;
-- What an issuer attests that it debited on a day.
create index operations_attested on operations (asset_of(out_wallet), (memo->>'debited_on'))
  where (out_wallet >> 39) & 31 = 11 and kind = 3;
comment on table operations is
  'The journal. id: group << 12 | place. kind: 1 award, 2 redemption, 3 conversion, 4 expiry, 5 hold, 6 capture, 7 release, 8 adjustment, 9 delivery, 10 freeze, 14 thaw, 11 to 13 and 16 reversals of 1 to 3 and 6. follows: the hold of a capture or release, the conversion of a delivery, or what a reversal undoes, in whole or in part; what several undo in parts sums to it exactly, so the last digit of a part''s net or residual may be below zero. Amounts in the currency''s smallest unit, money in millionths. The lot of a leg is named by its expiry (infinity when none); a leg of several or of special lots has null there and rows in more_legs. transfers: how many rows more_transfers has. out_previous and in_previous: the operation of that wallet before this one; a statement follows them, so it needs no index. pays and paid are position accounts; when their moneys differ, net leaves through fx_clearing and converted comes back. Append-only; no foreign keys (they would lock hot rows): verify finds what they would.';

create table more_legs (
  operation_id bigint not null,
  leg smallint not null,
  wallet bigint not null,
  expires_at timestamptz not null,
  usable_from timestamptz not null,
  class bigint not null,
  amount bigint not null,
  constraint more_legs_pk primary key (operation_id, leg),
  constraint more_legs_move_something check (amount <> 0)
);
comment on table more_legs is
  'The lots of a leg that took more than one, summing to the leg; negative leaves the wallet. Also the two halves of a lot that is re-dated by activity, which sum to zero. A hold and a release move between the two pockets of a lot, a capture takes from what is held, all others change what is available.';

create table more_transfers (
  operation_id bigint not null,
  nth smallint not null,
  debit bigint not null,
  credit bigint not null,
  amount bigint not null,
  constraint more_transfers_pk primary key (operation_id, nth),
  constraint more_transfers_one_asset check (((debit # credit) >> 44) & 16383 = 0),
  constraint more_transfers_two_accounts check (debit <> credit),
  constraint more_transfers_move_something check (amount > 0)
);
comment on table more_transfers is
  'What an operation posts besides its legs and its figures: what a sponsor pays, bonuses with who pays for them, fees. operations.transfers says how many rows there are, null for none. One that debits or credits the members of a leg''s currency is a part of that leg, which its flow account is spared.';

create table lots (
  wallet bigint not null,
  expires_at timestamptz not null,
  usable_from timestamptz not null,
  class bigint not null,
  turn integer not null,
  available bigint not null,
  held bigint not null,
  last_operation bigint,
  constraint lots_pk primary key (wallet, expires_at, usable_from, class),
  constraint lots_available_not_negative check (case class when -1 then available <= 0 else available >= 0 end),
  constraint lots_held_not_negative check (held >= 0),
  constraint lots_kept_by_partner_empty check ((wallet >> 39) & 31 <> 11 or (available = 0 and held = 0)),
  constraint lots_turn_whole check ((turn > 0) = (last_operation is not null))
) with (fillfactor = 75);
-- The sweeps ask for what has expired and what soon will, in this order; the columns never change, so
-- updates stay heap-only.
create index lots_by_expiry on lots (expires_at, wallet) where expires_at <> 'infinity';
comment on table lots is
  'What a wallet holds: one bucket per expiry (infinity when none), first usable instant (-infinity when at once, infinity when it waits for a code) and class (0; others stand for funder and eligibility, or above 2^62 for the import that it is frozen for). Class -1 is what the wallet owes, at zero or below. The journal names lots by these three, so they can be made again from it. turn: one lot of a wallet counts the groups that changed it and names its last operation, 0 elsewhere; every group that changes a wallet changes that lot, so that two never do unnoticed. A wallet whose balance its issuer keeps has one lot, always empty, for its turns.';

create table expiry_notices (
  days smallint not null,
  expires_at timestamptz not null,
  wallet bigint not null,
  constraint expiry_notices_pk primary key (days),
  constraint expiry_notices_before_they_expire check (days > 0)
);
comment on table expiry_notices is
  'How far lots have been looked through, in the order of lots_by_expiry, for those of whose expiry issuers are told so many days before. What was told is in the audit trail, written in the transaction that goes on here.';

create table tallies (
  wallet bigint not null,
  key bigint not null,
  at timestamptz not null,
  operation_id bigint not null,
  given bigint not null,
  gained bigint not null,
  times smallint not null,
  constraint tallies_pk primary key (wallet, key, at, operation_id)
);
comment on table tallies is
  'What a wallet did under a key, one row per operation that is held to a limit: how much it gave and gained, in smallest units, and how often. A reversal takes back, under the instant of what it undoes. The memo of an operation names its keys; one below zero is a campaign, and then what is gained is its bonus. Append-only; the turn of the wallet''s lots keeps two groups from counting past each other.';

create table holds (
  operation_id bigint not null,
  open bigint not null,
  expires_at timestamptz not null,
  constraint holds_pk primary key (operation_id),
  constraint holds_open_not_negative check (open >= 0)
) with (fillfactor = 75);
-- The sweep asks for open holds whose time has come.
create index holds_by_expiry on holds (expires_at) where open > 0;
comment on table holds is
  'How much is still set aside by each hold, and until when. Kept for the sweep; the journal says the same.';

create table credits (
  operation_id bigint not null,
  currency_no smallint not null,
  at timestamptz not null,
  state text not null default 'pending',
  reference text,
  credited_on date,
  reason text,
  answered_by bigint,
  answered_at timestamptz,
  reversal_id bigint,
  constraint credits_pk primary key (operation_id),
  constraint credits_answered_whole check (case state
    when 'pending' then num_nonnulls(reference, credited_on, reason, answered_by, answered_at, reversal_id) = 0
    when 'acknowledged' then num_nonnulls(reference, credited_on, answered_by, answered_at) = 4 and num_nonnulls(reason, reversal_id) = 0
    when 'rejected' then num_nonnulls(reason, answered_by, answered_at) = 3 and num_nonnulls(reference, credited_on) = 0
    else false end)
);
-- An issuer's list of what it is to credit, and the hub's of what waits.
create index credits_by_state on credits (state, operation_id);
-- A day as a file.
create index credits_by_day on credits (currency_no, at);
-- What an issuer says it credited on a day.
create index credits_by_entry on credits (currency_no, credited_on) where state = 'acknowledged';
-- What was rejected and has still to be undone.
create index credits_to_undo on credits (operation_id) where state = 'rejected' and reversal_id is null;
comment on table credits is
  'What the operations asked for that put units into a wallet whose balance its issuer keeps, and what the issuer said of it. reference, credited_on: its entry and the business day of that. reversal_id: what undid a rejected one.';

create table matches (
  currency_no smallint not null,
  day date not null,
  outcome jsonb not null,
  at timestamptz not null,
  constraint matches_pk primary key (currency_no, day)
);
comment on table matches is
  'The last comparison of a business day of a partner that keeps its own balances with what the hub has of it.';

create table adjustments (
  id bigint generated always as identity,
  wallet bigint not null,
  change bigint not null,
  expires_at timestamptz,
  reason text not null,
  content_hash bytea not null,
  state text not null default 'proposed',
  operation_id bigint,
  created_by bigint not null,
  created_at timestamptz not null,
  constraint adjustments_pk primary key (id),
  constraint adjustments_change_something check (change <> 0),
  constraint adjustments_expire_credits check ((change > 0) = (expires_at is not null)),
  constraint adjustments_state_known check (state in ('proposed', 'approved', 'rejected', 'posted', 'refused')),
  constraint adjustments_posted_whole check ((state = 'posted') = (operation_id is not null))
);
-- What was agreed to and has still to be posted.
create index adjustments_to_post on adjustments (id) where state = 'approved';
comment on table adjustments is
  'Corrections of wallets by the hub''s people, with a second person. change: into the wallet, out of it when negative. content_hash: what is agreed to. An adjustment is posted by one operation, whose memo names it.';

create function adjustments_keep_to_their_life() returns trigger language plpgsql as $$
begin
  if (old.wallet, old.change, old.expires_at, old.reason, old.content_hash)
    is distinct from (new.wallet, new.change, new.expires_at, new.reason, new.content_hash)
  then
    raise exception 'adjustment % never changes', old.id using constraint = 'adjustments_never_change';
  end if;
  if (old.state, new.state) not in (
    ('proposed', 'approved'), ('proposed', 'rejected'), ('approved', 'posted'), ('approved', 'refused'))
  then
    raise exception 'adjustment % is %', old.id, old.state using constraint = 'adjustments_edges';
  end if;
  return new;
end $$;
create trigger adjustments_keep_to_their_life before update on adjustments
  for each row execute function adjustments_keep_to_their_life();

create function all_as_read(expected bigint, seen bigint) returns void language plpgsql as $$
begin
  if seen <> expected then
    raise exception 'of % rows only % are as they were read', expected, seen using errcode = 'serialization_failure';
  end if;
end $$;
comment on function all_as_read is
  'Ends a group whose rows another group changed since they were read.';

create table totals (
  window_id bigint not null,
  kind smallint not null,
  debit bigint not null,
  credit bigint not null,
  slot smallint not null,
  amount bigint not null,
  operations bigint not null,
  constraint totals_pk primary key (window_id, kind, debit, credit, slot),
  constraint totals_one_asset check (((debit # credit) >> 44) & 16383 = 0),
  constraint totals_two_accounts check (debit <> credit)
) with (fillfactor = 75);
comment on table totals is
  'Sums per window, kind and pair of accounts, kept as operations are written, in both books; wallets of a currency are one account here. slot: one per writer, so that no two wait for a row. Positions, reports and windows read this; verify recomputes it from operations.';

create table caps (
  position bigint not null,
  terms jsonb not null,
  set_by bigint not null,
  set_at timestamptz not null,
  constraint caps_pk primary key (position),
  constraint caps_limit_something check (jsonb_typeof(terms -> 'cap') = 'string' or jsonb_typeof(terms -> 'cover') = 'array'),
  constraint caps_not_negative check ((terms ->> 'cap')::numeric >= 0),
  constraint caps_haircut_range check ((terms ->> 'haircut')::integer between 0 and 10000),
  constraint caps_warn_range check ((terms ->> 'warn_at')::integer between 1 and 9999)
);
comment on table caps is
  'How much a position may owe: nothing but a reversal makes it owe more. terms: cap, an amount or null; cover, null or its lines, each with its amount, what it rests on and until when it holds; haircut and warn_at in ten-thousandths. What is counted stays within both cap and cover. A position without a row may owe anything. Set with the gate taken alone.';

create table slices (
  position bigint not null,
  slot smallint not null,
  haircut smallint not null,
  granted bigint,
  owed bigint not null,
  credited bigint not null,
  constraint slices_pk primary key (position, slot),
  constraint slices_not_above_granted check (owed + ceil(credited::numeric * haircut / 10000) <= granted)
) with (fillfactor = 50);
comment on table slices is
  'A limit in slices, one per writer, by its slot. owed: what the position owes by its doing, summing to the position; below zero when the hub owes it. credited: what of that are credits that were not undone, of which the haircut is counted again. granted: what is counted may rise to without asking, null when it has to ask; granted, or else counted, sums to no more than the limit while anything is granted. Who grants locks the row of caps.';

create function all_as_granted(expected bigint, seen bigint) returns void language plpgsql as $$
begin
  if seen <> expected then
    raise exception 'of % slices only % are as they were granted', expected, seen
      using errcode = 'serialization_failure', constraint = 'slices_as_granted';
  end if;
end $$;
comment on function all_as_granted is
  'Ends a group whose slices were called back since it remembers them.';

create table budgets (
  owner bigint not null,
  given bigint not null,
  constraint budgets_pk primary key (owner),
  constraint budgets_not_negative check (given >= 0)
) with (fillfactor = 50);
comment on table budgets is
  'What owners that may give only so much have given, in smallest units of what is gained: campaigns, by their id; mandates, by bit 62, their id and a day (0 for all days); and below zero, by the id of a rate card, what its sponsor has paid in millionths of its money. What is undone comes back. A group locks the rows in the order of their ids. The memo of an operation says what it gave and gave back, and verify sums that again.';

create table operation_references (
  partner_id bigint not null,
  kind smallint not null,
  reference_hash uuid not null,
  reference text,
  operation_id bigint not null,
  constraint operation_references_pk primary key (partner_id, kind, reference_hash)
);
-- From an operation to what its partner calls it.
create index operation_references_by_operation on operation_references (operation_id);
comment on table operation_references is
  'A partner''s own name for an operation, unique for ever per kind. The hash is keyed and stays; the text may be erased.';

grant select, insert on operations, more_legs, more_transfers, tallies, groups, seals to interline_app;
grant select, insert, update on lots, expiry_notices, holds, credits, matches, adjustments, budgets, totals, windows, operation_references to interline_app;
grant select, insert, update, delete on caps, slices to interline_app;
