-- What is left of a currency when its issuer's last day is over, and becomes another's.

create table buy_outs (
  currency_no smallint not null,
  card_id bigint not null,
  ends_at timestamptz not null,
  waits_for text,
  done_at timestamptz,
  constraint buy_outs_pk primary key (currency_no),
  constraint buy_outs_of_currency foreign key (currency_no) references currencies (no),
  constraint buy_outs_by_card foreign key (card_id) references rate_cards (id),
  constraint buy_outs_wait_or_are_done check (waits_for is null or done_at is null)
);
comment on table buy_outs is
  'The rate card by which the hub converts what is left, as two people agreed. It is for one last day: ends_at is that of the issuer, and with another it counts no more. waits_for: what the hub met that it cannot decide. What is left after done_at expires.';

grant select, insert, update, delete on buy_outs to interline_app;
