"""What PostgreSQL's catalogue is asked for an audit. `role`: by which the application comes; `tenant`: the column that names the tenant."""

# Whether a role, or one that it may become, passes by row security or owns something.
ROLE = """
select r.rolname,
       coalesce(bool_or(m.rolbypassrls or m.rolsuper), false) as bypasses
  from pg_roles r join pg_roles m on pg_has_role(r.oid, m.oid, 'MEMBER')
 where r.rolname = %(role)s group by r.rolname
"""

# Everything with a tenant that the role can read: tables, partitions, views, materialized views.
RELATIONS = """
select c.oid, c.oid::regclass::text as name, c.relkind::text as kind, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
       pg_has_role(%(role)s, c.relowner, 'MEMBER') as owned,
       o.rolsuper or o.rolbypassrls as owner_bypasses,
       coalesce('security_invoker=true' = any(c.reloptions) or 'security_invoker=on' = any(c.reloptions), false) as invoker
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_roles o on o.oid = c.relowner
  join pg_attribute t on t.attrelid = c.oid and t.attname = %(tenant)s and not t.attisdropped
 where c.relkind in ('r', 'p', 'v', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg_toast%%'
   and has_table_privilege(%(role)s, c.oid, 'SELECT')
 order by 2
"""

POLICIES = """
select p.polrelid as oid, p.polname as name, p.polcmd::text as command, p.polpermissive as permissive,
       pg_get_expr(p.polqual, p.polrelid) as lets, pg_get_expr(p.polwithcheck, p.polrelid) as checks
  from pg_policy p
 where p.polroles = '{0}' or exists (select 1 from unnest(p.polroles) one(role) where one.role = 0 or pg_has_role(%(role)s, one.role, 'MEMBER'))
"""

# Functions with their owner's rights that the role may call: whatever they read, they read as somebody else.
FUNCTIONS = """
select p.oid::regprocedure::text as name
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_roles o on o.oid = p.proowner
 where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
   and has_function_privilege(%(role)s, p.oid, 'EXECUTE')
   and not pg_has_role(%(role)s, p.proowner, 'MEMBER')
   and (o.rolsuper or o.rolbypassrls or exists (
     select 1 from pg_class c join pg_attribute t on t.attrelid = c.oid and t.attname = %(tenant)s
      where c.relkind in ('r', 'p') and c.relowner = p.proowner and not c.relforcerowsecurity))
 order by 1
"""

# A tenant that is set for a role or a database is there before anybody has said whose turn it is.
DEFAULTS = """
select coalesce(d.datname, '') || coalesce(r.rolname, '') as whose
  from pg_db_role_setting s left join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole,
       unnest(s.setconfig) one(setting)
 where one.setting like %(variable)s || '=%%'
"""

# Foreign keys between two tables that both name a tenant, of one column each.
KEYS = """
select c.conrelid::regclass::text as child, c.confrelid::regclass::text as parent, a.attname as column, b.attname as referenced,
       row_security_active(c.conrelid) or row_security_active(c.confrelid) as hidden
  from pg_constraint c
  join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
  join pg_attribute b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
  join pg_attribute t on t.attrelid = c.conrelid and t.attname = %(tenant)s
  join pg_attribute u on u.attrelid = c.confrelid and u.attname = %(tenant)s
 where c.contype = 'f' and array_length(c.conkey, 1) = 1 order by 1
"""
