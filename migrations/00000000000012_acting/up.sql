-- Acting for a member: whose programs may, and for whom.

-- What the life of a partner says of `act_for_members`. Whoever is on the way to live rehearses in a sandbox.
create function acts_for_members(state text) returns boolean language plpgsql stable as $$
begin
  return state in ('live', 'winding_down')
      or state in ('sandbox', 'certifying', 'pending_approval') and in_sandbox();
end $$;

create view live_memberships as
  select m.id, m.member_id, m.partner_id, m.number
    from memberships m join partners p on p.id = m.partner_id
   where acts_for_members(p.state);
comment on view live_memberships is
  'Memberships of partners that may act for their members now.';

grant select on live_memberships to interline_app;
