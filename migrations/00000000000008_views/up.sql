-- The journal the way an accountant reads it.

create function account_name(account bigint) returns text language sql stable as $$
  select case (account >> 39) & 31
    when 1 then 'member/' || (account & ((1::bigint << 39) - 1))
    when 2 then 'members'
    when 3 then 'issued'
    when 4 then 'converted_in'
    when 5 then 'redeemed'
    when 6 then 'converted_out'
    when 7 then 'expired'
    when 8 then 'adjusted'
    when 9 then 'bonus'
    when 10 then 'fees'
    when 11 then 'member_at_partner/' || (account & ((1::bigint << 39) - 1))
    when 12 then 'kept_by_partner'
    when 16 then 'position/' || (select code from partners where id = account & ((1::bigint << 39) - 1))
    when 17 then 'hub/commission'
    when 18 then 'hub/rounding'
    when 19 then 'hub/fx_clearing'
    when 20 then 'hub/member_fees'
    when 21 then 'hub/bonus_funding'
    else 'unknown' end
    || '/' || coalesce(
      (select code from moneys where no = asset_of(account)),
      (select code from currencies where no = asset_of(account)), '?')
$$;

create function account_id(asset integer, kind integer) returns bigint language sql immutable
  as $$ select (asset::bigint << 44) | (kind::bigint << 39) $$;

-- What stands in the books for a wallet and all others of its currency, by who keeps them.
create function holders_of(wallet bigint) returns bigint language sql immutable
  as $$ select account_id(asset_of(wallet), case (wallet >> 39) & 31 when 11 then 12 else 2 end) $$;

-- The account at the other end of a leg: the table of ledger/transfer.rs, in SQL.
create function flow_of(kind smallint, leaves boolean) returns integer language sql immutable as $$
  select case kind
    when 1 then 3 when 11 then 3
    when 2 then 5 when 12 then 5
    when 6 then 5 when 16 then 5
    when 4 then 7
    when 8 then 8
    when 3 then case when leaves then 6 else 4 end
    when 13 then case when leaves then 4 else 6 end end
$$;

create view transfers as
  select o.id as operation_id, o.at, t.debit, t.credit, t.amount
    from operations o
    -- What more_transfers says of the members of a leg's currency is a part of that leg.
    left join lateral (
      select sum(case holders_of(o.out_wallet) when m.debit then m.amount when m.credit then -m.amount end) as leaves,
             sum(case holders_of(o.in_wallet) when m.credit then m.amount when m.debit then -m.amount end) as enters
        from more_transfers m where m.operation_id = o.id) as part on o.transfers is not null,
    lateral (values
      (o.out_wallet, account_id(asset_of(o.out_wallet), flow_of(o.kind, true)), o.out_amount - coalesce(part.leaves, 0)),
      (account_id(asset_of(o.in_wallet), flow_of(o.kind, false)), o.in_wallet, o.in_amount - coalesce(part.enters, 0)),
      (o.pays, account_id(asset_of(o.pays), 17), o.commission),
      (o.pays, case when asset_of(o.pays) = asset_of(o.paid) then o.paid
               else account_id(asset_of(o.pays), 19) end,
       case when asset_of(o.pays) = asset_of(o.paid) then o.value else o.net end),
      (case when asset_of(o.pays) = asset_of(o.paid) then o.pays
            else account_id(asset_of(o.paid), 19) end,
       account_id(asset_of(o.paid), 18), o.residual),
      (case when asset_of(o.pays) <> asset_of(o.paid) then account_id(asset_of(o.paid), 19) end,
       o.paid, o.value)
    ) as forward (debit, credit, amount),
    -- A reversal hands the money back, and the last digit of a part of one may be below zero: the same
    -- transfers, the other way round.
    lateral (select (o.kind > 10 and asset_of(forward.debit) < 1000) <> (forward.amount < 0)) as turned (round),
    lateral (select case when turned.round then forward.credit else forward.debit end,
                    case when turned.round then forward.debit else forward.credit end,
                    abs(forward.amount)) as t (debit, credit, amount)
   where t.debit is not null and t.credit is not null and t.debit <> t.credit and t.amount > 0
  union all
  select o.id, o.at,
         case m.debit when holders_of(o.out_wallet) then o.out_wallet
                      when holders_of(o.in_wallet) then o.in_wallet else m.debit end,
         case m.credit when holders_of(o.in_wallet) then o.in_wallet
                       when holders_of(o.out_wallet) then o.out_wallet else m.credit end, m.amount
    from more_transfers m join operations o on o.id = m.operation_id;
comment on view transfers is
  'Each operation as transfers: debit account, credit account, amount of one asset. A hold, a release and a delivery post nothing: the points stay members''.';

create view postings as
  select operation_id, at, debit as account, account_name(debit) as name, amount as debit, null::bigint as credit from transfers
  union all
  select operation_id, at, credit, account_name(credit), null, amount from transfers;
comment on view postings is 'Each operation as postings: one line per account, debit or credit.';

grant select on transfers, postings to interline_app;
