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

create table bank_account_proposals (
  partner_id bigint not null,
  details jsonb not null,
  proposed_by bigint not null,
  proposed_at timestamptz not null,
  constraint bank_account_proposals_pk primary key (partner_id),
  constraint bank_account_proposals_of_partner foreign key (partner_id) references partners (id)
);
comment on table bank_account_proposals is
  'The account that a partner shall have, until another person has decided.';

grant select, insert, update on bank_accounts to interline_app;
grant select, insert, update, delete on bank_account_proposals to interline_app;
