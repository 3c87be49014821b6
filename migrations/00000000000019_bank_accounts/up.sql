-- Where a partner is paid.

create table bank_accounts (
  partner_id bigint not null,
  details jsonb not null,
  since timestamptz not null,
  constraint bank_accounts_pk primary key (partner_id),
  constraint bank_accounts_of_partner foreign key (partner_id) references partners (id)
);
comment on table bank_accounts is
  'The account that a partner''s money is paid into, as two people agreed: holder, money, BIC, and an IBAN or another number. Who agreed is in the approvals; what was there before, by its last characters, in the audit trail.';

grant select, insert, update on bank_accounts to interline_app;
