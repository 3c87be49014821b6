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

-- A warning as it is told.
create function warning_told(warning limit_warnings) returns jsonb language sql stable as $$
  select jsonb_build_object('counted', round(warning.counted / 1000000.0, 6)::text,
    'limit', round(warning.most / 1000000.0, 6)::text, 'money', asset_of(warning.position),
    'since', to_char(warning.at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
$$;

-- Whatever warns or calms, a group or a sweep, tells of it in the same transaction and without asking again.
create function limit_warnings_are_told() returns trigger language plpgsql as $$
begin
  insert into audit (position, at, principal_id, request_id, subject, subject_id, before, after, concerns)
  select audit_places(1), coalesce(new.ended_at, new.at), 0, gen_random_uuid(), 'limit_warning', partner,
         case when new.ended_at is not null then warning_told(new)::text end,
         case when new.ended_at is null then warning_told(new)::text else 'ended' end, array[partner]
    from (select new.position & ((1::bigint << 39) - 1) as partner) of;
  return null;
end $$;
create trigger limit_warnings_are_told after insert or update of ended_at on limit_warnings
  for each row execute function limit_warnings_are_told();

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
