-- What partners may owe, as it stands, and when they were warned.

create table limit_warnings (
  id bigint generated always as identity,
  position bigint not null,
  counted bigint not null,
  most bigint not null,
  at timestamptz not null,
  group_id bigint,
  ended_at timestamptz,
  constraint limit_warnings_pk primary key (id),
  constraint limit_warnings_end_after_they_begin check (ended_at >= at)
);
-- A partner is warned once, until it is below again.
create unique index limit_warnings_one_open on limit_warnings (position) where ended_at is null;
comment on table limit_warnings is
  'A position reached where its partner is warned, once per crossing. counted: what was counted then; most: the lesser of cap and cover; group_id: the group that crossed it, null when another change did. Only ended_at ever changes, once.';

create function credited_of(account bigint) returns bigint language sql stable as $$
  select coalesce(sum(case when kind in (11, 12, 13, 16) then case debit when account then -amount else 0 end
                           else case credit when account then amount else 0 end end), 0)::bigint
    from totals where debit = account or credit = account
$$;
comment on function credited_of is
  'What a position was credited and that was not undone, as its totals say.';

create view limits as
  select position, cap, cover, haircut, counted, trunc(least(cap, cover) * warn_at / 10000)::bigint as warning
    from (
      select c.position,
             ((c.terms ->> 'cap')::numeric * 1000000)::bigint as cap,
             case jsonb_typeof(c.terms -> 'cover') when 'array' then
               (select coalesce(sum((line ->> 'amount')::numeric * 1000000), 0)::bigint
                  from jsonb_array_elements(c.terms -> 'cover') line
                 where (line ->> 'until')::timestamptz > hub_now()) end as cover,
             (c.terms ->> 'haircut')::smallint as haircut,
             (c.terms ->> 'warn_at')::numeric as warn_at,
             (select (sum(owed) + ceil(sum(credited) * (c.terms ->> 'haircut')::integer / 10000))::bigint
                from slices where slices.position = c.position) as counted
        from caps c) told;
comment on view limits is
  'What positions may owe now, what is counted of what they owe, and from where on they are warned.';

grant select, insert, update on limit_warnings to interline_app;
grant select on limits to interline_app;
