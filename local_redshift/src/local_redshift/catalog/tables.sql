-- The layout of Redshift's tables (DISTSTYLE, DISTKEY, SORTKEY, ENCODE), and the catalog tables that show it.

create table pg_catalog.local_table_design (
  relid oid primary key, diststyle text not null, distkey text, sortkeys text[] not null,
  encodings jsonb not null default '{}', interleaved boolean not null default false,
  created timestamp not null default statement_timestamp()::timestamp);

-- Late-binding views (views.sql). query: the text after the view's name. statement: the whole statement. uses: the
-- relations that the view currently reads, or an empty array after one of them was dropped.
create table pg_catalog.local_late_views (
  relid oid primary key, query text not null, uses oid[] not null, statement text not null);

-- Materialized views (views.sql). rows: the relation that stores the view's rows. refreshed: the option AUTO REFRESH.
create table pg_catalog.local_materialized_views (
  relid oid primary key, rows oid not null, statement text not null, refreshed boolean not null);

-- PostgreSQL's pg_index also lists the indexes of sort keys, and in it, no key of a client's table is unique. Clients
-- see the view below, which lists only the keys and shows them as unique (16384 is the first oid of a client's object).
alter table pg_catalog.pg_index rename to local_index;
create view pg_catalog.pg_index as
  select indexrelid, indrelid, indnatts, indnkeyatts, indisunique or indexrelid >= 16384 as indisunique,
         indnullsnotdistinct, indisprimary, indisexclusion, indimmediate, indisclustered, indisvalid, indcheckxmin,
         indisready, indislive, indisreplident, indkey, indcollation, indclass, indoption, indexprs, indpred
  from local_index where not indisclustered;

-- Record the layout of a new table. A sort key becomes an index, the counterpart of zone maps, in a schema that clients
-- skip, unless the index of a key begins with the same columns. Temporary tables have no such index. Keys stay in the
-- catalog but no longer reject duplicates, because Redshift does not reject them.
create function pg_catalog.local_lay_out(tbl regclass, diststyle text, distkey text, sortkeys text[], model regclass)
returns void language plpgsql security definer set allow_system_table_mods = on as $$
declare
  columns text;
  encodings jsonb;
  name text := 'local_sortkey_' || tbl::oid;
  key text;
  type text;
begin
  update local_index set indisunique = false where indrelid = tbl and indisunique;
  if exists (select from local_table_design where relid = tbl) then return; end if;
  if model is not null then
    select coalesce(local_lay_out.diststyle, d.diststyle), d.distkey, d.sortkeys, d.encodings
    into diststyle, distkey, sortkeys, encodings
    from local_table_design as d where relid = model;
  end if;
  sortkeys := coalesce(sortkeys, '{}');
  insert into local_table_design (relid, diststyle, distkey, sortkeys, encodings)
    values (tbl, coalesce(diststyle, case when distkey is null then 'AUTO' else 'KEY' end), distkey, sortkeys,
            coalesce(encodings, '{}'));
  -- https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html, DISTKEY and SORTKEY
  for key, type in
    select k, format_type(a.atttypid, null) from unnest(array_append(sortkeys, distkey)) as k
    left join pg_attribute as a on a.attrelid = tbl and a.attname = k
    where k is not null and (a.atttypid is null or a.atttypid in ('super'::regtype, 'geometry'::regtype, 'hllsketch'::regtype))
  loop
    raise exception using errcode = 'undefined_column',
      message = format('column "%s" %s', key, coalesce('of type ' || type || ' cannot be a DISTKEY or SORTKEY', 'does not exist'));
  end loop;
  if cardinality(sortkeys) > 0 and (select relpersistence <> 't' from pg_class where oid = tbl)
    and not exists (
      select from local_index where indrelid = tbl and indnkeyatts >= cardinality(sortkeys) and not exists (
        select from unnest(sortkeys) with ordinality as k(name, place)
        join local_attribute as a on a.attrelid = tbl and a.attname = k.name
        where indkey[place::integer - 1] <> a.attnum))
  then
    select string_agg(quote_ident(c), ', ') into columns from unnest(sortkeys) as c;
    execute format('create index %I on %s (%s)', name, tbl, columns);
    update local_index set indisclustered = true
    where indrelid = tbl and indexrelid = (select oid from pg_class where relname = name);
    update pg_class set relnamespace = 'pg_toast'::regnamespace where relname = name;
  end if;
end $$;

-- Record the encodings of columns that ENCODE sets, for example {"column": "zstd"}.
create function pg_catalog.local_encode(tbl regclass, encodings jsonb) returns void
language plpgsql security definer as $$
begin
  insert into local_table_design (relid, diststyle, sortkeys, encodings) values (tbl, 'AUTO', '{}', encodings)
  on conflict (relid) do update set encodings = local_table_design.encodings || excluded.encodings;
end $$;

-- Mark the keys of a table as unique while a foreign key is declared, because in PostgreSQL, a foreign key can refer
-- only to unique keys.
create function pg_catalog.local_make_unique(target regclass) returns void
language sql security definer set allow_system_table_mods = on as $$
  update local_index set indisunique = true
  where indexrelid in (select conindid from pg_constraint where conrelid = target and contype in ('p', 'u')) $$;

create function pg_catalog.local_rename_column(tbl regclass, old text, new text) returns void
language sql security definer as $$
  update local_table_design
  set distkey = case distkey when old then new else distkey end, sortkeys = array_replace(sortkeys, old, new),
      encodings = case when encodings -> old is null then encodings
                       else encodings - old || jsonb_build_object(new, encodings -> old) end
  where relid = tbl $$;

create function pg_catalog.local_interleave(tbl regclass) returns void language sql security definer as
$$ update local_table_design set interleaved = true where relid = tbl $$;

-- In PostgreSQL, an IDENTITY column is always NOT NULL. On Redshift, it is NOT NULL only if it is declared so or is in
-- the primary key.
create function pg_catalog.local_relax_identity(tbl regclass, col text) returns void
language plpgsql security definer set allow_system_table_mods = on as $$
declare
  place smallint := (select attnum from local_attribute where attrelid = tbl and attname = col);
  con oid := (select oid from pg_constraint where conrelid = tbl and contype = 'n' and conkey = array[place]);
begin
  if exists (select from pg_constraint where conrelid = tbl and contype = 'p' and place = any (conkey)) then
    return;
  end if;
  delete from pg_depend where classid = 'pg_constraint'::regclass and objid = con;
  delete from pg_constraint where oid = con;
  update local_attribute set attnotnull = false where attrelid = tbl and attnum = place and attnotnull;
end $$;

-- Add a foreign key that is in the catalog but not enforced. definition: [constraint name] foreign key (...)
-- references target [(...)].
create function pg_catalog.local_add_foreign_key(tbl regclass, target regclass, definition text) returns void
language plpgsql security definer set allow_system_table_mods = on as $$
begin
  perform local_make_unique(target);
  execute format('alter table %s add %s not enforced', tbl, definition);
  update local_index set indisunique = false where indrelid = target and indisunique;
end $$;
alter function pg_catalog.pg_get_constraintdef(oid) rename to local_constraintdef;
alter function pg_catalog.pg_get_constraintdef(oid, boolean) rename to local_constraintdef;
create function pg_catalog.pg_get_constraintdef(con oid) returns text language sql stable strict as
$$ select replace(local_constraintdef(con), ' NOT ENFORCED', '') $$;
create function pg_catalog.pg_get_constraintdef(con oid, pretty boolean) returns text language sql stable strict as
$$ select replace(local_constraintdef(con, pretty), ' NOT ENFORCED', '') $$;

alter table pg_catalog.pg_attribute rename to local_attribute;
create function pg_catalog.local_encoding(class pg_class, attribute local_attribute) returns text language sql stable as $$
  select case when class.relkind <> 'r' or class.relnamespace = 'pg_catalog'::regnamespace then 'none'
    else coalesce(
      (select case when d.encodings ->> attribute.attname = 'raw' then 'none' else d.encodings ->> attribute.attname end
       from local_table_design as d where d.relid = class.oid),
      (select 'none' from local_table_design as d where d.relid = class.oid and attribute.attname = any (d.sortkeys)),
      case when attribute.atttypid in ('bool'::regtype, 'float4'::regtype, 'float8'::regtype, 'super'::regtype,
                                       'geometry'::regtype, 'hllsketch'::regtype) then 'none'
           when attribute.atttypid in ('varchar'::regtype, 'bpchar'::regtype, 'text'::regtype) then 'lzo'
           else 'az64' end) end $$;

-- Columns that only Redshift has in the system tables. In PostgreSQL, table.column can also call a function of a row.
create function pg_catalog.reldiststyle(class pg_class) returns smallint language sql stable as $$
  select case (select diststyle from local_table_design where relid = class.oid)
    when 'EVEN' then 0 when 'KEY' then 1 when 'ALL' then 8
    else case when class.relkind = 'r' and class.relnamespace <> 'pg_catalog'::regnamespace then 9 else 0 end
    end::smallint $$;
create function pg_catalog.releffectivediststyle(class pg_class) returns smallint language sql stable as
$$ select case reldiststyle(class) when 9 then 10 else reldiststyle(class) end::smallint $$;
create function pg_catalog.relcreationtime(class pg_class) returns timestamp language sql stable as
$$ select created from local_table_design where relid = class.oid $$;
create function pg_catalog.relhaspkey(class pg_class) returns boolean language sql stable as
$$ select exists (select from pg_constraint where conrelid = class.oid and contype = 'p') $$;
create function pg_catalog.relukeys(class pg_class) returns smallint language sql stable as
$$ select count(*)::smallint from pg_constraint where conrelid = class.oid and contype = 'u' $$;
create function pg_catalog.relfkeys(class pg_class) returns smallint language sql stable as
$$ select count(*)::smallint from pg_constraint where conrelid = class.oid and contype = 'f' $$;
create function pg_catalog.relrefs(class pg_class) returns smallint language sql stable as
$$ select count(*)::smallint from pg_constraint where confrelid = class.oid and contype = 'f' $$;
create function pg_catalog.relhasoids(class pg_class) returns boolean language sql immutable as $$ select false $$;
create function pg_catalog.reltriggers(class pg_class) returns smallint language sql immutable as
$$ select 0::smallint $$;
create function pg_catalog.reltoastidxid(class pg_class) returns oid language sql immutable as $$ select 0::oid $$;
create function pg_catalog.relexternid(class pg_class) returns oid language sql immutable as $$ select 0::oid $$;
create function pg_catalog.relisreplicated(class pg_class) returns boolean language sql stable as
$$ select reldiststyle(class) = 8 $$;
create function pg_catalog.relispinned(class pg_class) returns boolean language sql immutable as $$ select false $$;
-- Redshift stores an encoding as a number. Only the meaning of 0 is known from documented queries. The stand-in defines
-- the other numbers.
create function pg_catalog.local_encodings() returns text[] language sql immutable as $$
  select array['none', 'bytedict', 'delta', 'delta32k', 'lzo', 'mostly8', 'mostly16', 'mostly32', 'runlength',
               'text255', 'text32k', 'zstd', 'az64'] $$;
create function pg_catalog.format_encoding(number integer) returns text language sql immutable strict as
$$ select coalesce((local_encodings())[number + 1], 'unknown') $$;
-- In an interleaved sort key, every second column has a negative attsortkeyord.
create view pg_catalog.local_all_attributes as
  select a.attrelid, a.attname, coalesce(t.atttypid, a.atttypid) as atttypid, a.attlen, a.attnum,
         coalesce(t.atttypmod, a.atttypmod) as atttypmod, a.attndims, a.attbyval, a.attalign, a.attstorage,
         a.attcompression, a.attnotnull, a.atthasdef, a.atthasmissing, a.attidentity, a.attgenerated, a.attisdropped,
         a.attislocal, a.attinhcount, a.attcollation, a.attstattarget, a.attacl, a.attoptions, a.attfdwoptions,
         a.attmissingval,
         exists (select from local_table_design as d where d.relid = a.attrelid and d.distkey = a.attname)
           as attisdistkey,
         coalesce((select place * case when d.interleaved and place % 2 = 0 then -1 else 1 end
                   from local_table_design as d, array_position(d.sortkeys, a.attname::text) as place
                   where d.relid = a.attrelid), 0) as attsortkeyord,
         (select array_position(local_encodings(), local_encoding(c, a)) - 1
          from pg_class as c where c.oid = a.attrelid)::smallint as attencodingtype,
         false as attispreloaded, -1 as attcacheoff
  from local_attribute as a left join local_types as t on t.relid = a.attrelid and t.attnum = a.attnum;
-- The columns of late-binding views are only in svv_columns and in pg_get_late_binding_view_cols().
create view pg_catalog.pg_attribute as
  select * from local_all_attributes where attrelid not in (select relid from local_late_views);
create function pg_catalog.consrc(con pg_constraint) returns text language sql stable as
$$ select pg_get_expr(con.conbin, con.conrelid) $$;
create function pg_catalog.proisagg(proc pg_proc) returns boolean language sql immutable as
$$ select proc.prokind = 'a' $$;
create function pg_catalog.proiswindow(proc pg_proc) returns boolean language sql immutable as
$$ select proc.prokind = 'w' $$;
create function pg_catalog.datlastsysoid(database pg_database) returns oid language sql immutable as
$$ select 16383::oid $$;

-- Defaults, with their text (adsrc). They include IDENTITY, which is a default on Redshift.
create function pg_catalog.local_identity(attribute local_attribute) returns text language sql stable as $$
  select format('%s(%s, %s, ''%s,%s''::text)',
                case attribute.attidentity when 'd' then 'default_identity' else '"identity"' end,
                attribute.attrelid, attribute.attnum - 1, s.seqstart, s.seqincrement)
  from pg_depend as d join pg_sequence as s on s.seqrelid = d.objid
  where d.classid = 'pg_class'::regclass and d.deptype = 'i'
    and d.refclassid = 'pg_class'::regclass and d.refobjid = attribute.attrelid and d.refobjsubid = attribute.attnum
$$;
alter table pg_catalog.pg_attrdef rename to local_attrdef;
create view pg_catalog.pg_attrdef as
  select oid, adrelid, adnum, pg_get_expr(adbin, adrelid) as adbin, pg_get_expr(adbin, adrelid) as adsrc
  from local_attrdef
  union all
  select a.attrelid, a.attrelid, a.attnum, local_identity(a), local_identity(a)
  from local_attribute as a where a.attidentity <> '' and not a.attisdropped;
create function pg_catalog.pg_get_expr(expression text, relation oid) returns text language sql immutable strict as
$$ select expression $$;
create function pg_catalog.pg_get_expr(expression text, relation oid, pretty boolean) returns text
language sql immutable strict as $$ select expression $$;

-- Return whether the stand-in itself has an object of this name (11 is pg_catalog, 99 is pg_toast).
create function pg_catalog.local_is_own(schema oid, name text) returns boolean language sql immutable as
$$ select schema in (11, 99) and left(name, 6) = 'local_' $$;

create view pg_catalog.pg_class_info as
  select c.oid as reloid, c.relname, c.relnamespace, c.reltype, c.relowner, c.relam, c.relfilenode, c.reltablespace,
         c.relpages, c.reltuples, c.reltoastrelid, c.reltoastidxid, c.relhasindex, c.relisshared, c.relkind,
         c.relnatts, c.relexternid, c.relisreplicated, c.relispinned, c.reldiststyle, c.releffectivediststyle,
         c.relchecks, c.reltriggers, c.relukeys, c.relfkeys, c.relrefs, c.relhasoids, c.relhaspkey, c.relhasrules,
         c.relhassubclass, c.relacl, c.relcreationtime
  from pg_class as c where not local_is_own(c.relnamespace, c.relname);
create view pg_catalog.pg_attribute_info as
  select a.attrelid, a.attname, a.atttypid, a.attstattarget, a.attlen, a.attnum, a.attndims,
         a.atttypmod, a.attbyval, a.attstorage, a.attalign, a.attnotnull, a.atthasdef, a.attisdropped, a.attislocal,
         a.attinhcount, a.attisdistkey, a.attispreloaded, a.attsortkeyord, a.attencodingtype, a.attacl
  from pg_attribute as a;
create view pg_catalog.pg_proc_info as
  select p.oid as prooid, p.proname, p.pronamespace, p.proowner, p.prolang, p.proisagg, p.prosecdef, p.proisstrict,
         p.proretset, p.provolatile, p.pronargs, p.prorettype, p.proargtypes, p.proargnames, p.proargmodes,
         p.proallargtypes, p.prosrc, p.probin, p.proacl, p.prokind
  from pg_proc as p where not local_is_own(p.pronamespace, p.proname);

create view pg_catalog.pg_table_def as
  select n.nspname as schemaname, c.relname as tablename, a.attname as "column",
         format_type(a.atttypid, a.atttypmod) as type, format_encoding(a.attencodingtype) as encoding,
         a.attisdistkey as distkey, a.attsortkeyord as sortkey, a.attnotnull as "notnull"
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relkind = 'r' and n.nspname = any (current_schemas(true)) and not local_is_own(n.oid, c.relname);

create function pg_catalog.pg_get_cols(relation text) returns setof record language sql stable as $$
  select n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod)::varchar, a.attnum::integer
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.oid = relation::regclass $$;
