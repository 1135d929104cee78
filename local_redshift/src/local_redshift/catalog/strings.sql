-- Strings, JSON in strings, patterns, and the length of VARCHAR in bytes.

create function pg_catalog.len(text) returns integer language sql immutable strict as $$ select length($1) $$;
create function pg_catalog.charindex(part text, whole text) returns integer language sql immutable strict as
$$ select strpos(whole, part) $$;
create function pg_catalog.strtol(digits text, base integer) returns bigint language sql immutable strict as
$$ select sum((position(lower(substr(digits, i, 1)) in '0123456789abcdefghijklmnopqrstuvwxyz') - 1)
              * base::numeric ^ (length(digits) - i))::bigint
   from generate_series(1, length(digits)) as i $$;
create function pg_catalog.sha2(value text, bits integer) returns text language sql immutable strict as
$$ select encode(case bits when 224 then sha224(convert_to(value, 'UTF8'))
                           when 384 then sha384(convert_to(value, 'UTF8'))
                           when 512 then sha512(convert_to(value, 'UTF8'))
                           when 256 then sha256(convert_to(value, 'UTF8'))
                           when 0 then sha256(convert_to(value, 'UTF8')) end, 'hex') $$;
-- PostgreSQL's crc32 is a different function, whose argument is bytes.
-- https://docs.aws.amazon.com/redshift/latest/dg/crc32-function.html
alter function pg_catalog.crc32(bytea) rename to local_crc32;
alter function pg_catalog.crc32c(bytea) rename to local_crc32c;
create function pg_catalog.crc32(text) returns text language sql immutable strict as
$$ select lpad(to_hex(local_crc32c(convert_to($1, 'UTF8'))), 8, '0') $$;
create function pg_catalog.nvl2(anyelement, anycompatible, anycompatible) returns anycompatible
language sql immutable as $$ select case when $1 is not null then $2 else $3 end $$;
create function pg_catalog.is_valid_json(text) returns boolean language sql immutable strict as
$$ select $1 is json object $$;
create function pg_catalog.is_valid_json_array(text) returns boolean language sql immutable strict as
$$ select $1 is json array $$;
create function pg_catalog.json_extract_path_text(document text, variadic path text[]) returns text
language sql immutable strict as $$ select document::json #>> path $$;
create function pg_catalog.json_array_length(document text) returns integer language sql immutable strict as
$$ select json_array_length(document::json) $$;
create function pg_catalog.json_extract_array_element_text(document text, place integer) returns text
language sql immutable strict as $$ select case when place >= 0 then document::json ->> place end $$;
-- If the optional last argument is true, the result for invalid JSON is NULL. The functions are in PL/pgSQL, because
-- otherwise, the planner would parse a constant before the check.
create function pg_catalog.json_array_length(document text, null_if_invalid boolean) returns integer
language plpgsql immutable strict as $$
begin
  return case when not null_if_invalid or document is json array then json_array_length(document) end;
end $$;
create function pg_catalog.json_extract_array_element_text(document text, place integer, null_if_invalid boolean)
returns text language plpgsql immutable strict as $$
begin
  return case when not null_if_invalid or document is json array
              then json_extract_array_element_text(document, place) end;
end $$;
create function pg_catalog.local_path_text(document text, null_if_invalid boolean, variadic path text[]) returns text
language plpgsql immutable strict as $$
begin
  return case when not null_if_invalid or document is json then document::json #>> path end;
end $$;
create function pg_catalog.json_extract_path_text(text, text, boolean) returns text
language sql immutable strict as $$ select local_path_text($1, $3, $2) $$;
create function pg_catalog.json_extract_path_text(text, text, text, boolean) returns text
language sql immutable strict as $$ select local_path_text($1, $4, $2, $3) $$;
create function pg_catalog.json_extract_path_text(text, text, text, text, boolean) returns text
language sql immutable strict as $$ select local_path_text($1, $5, $2, $3, $4) $$;
create function pg_catalog.json_extract_path_text(text, text, text, text, text, boolean) returns text
language sql immutable strict as $$ select local_path_text($1, $6, $2, $3, $4, $5) $$;
create function pg_catalog.json_extract_path_text(text, text, text, text, text, text, boolean) returns text
language sql immutable strict as $$ select local_path_text($1, $7, $2, $3, $4, $5, $6) $$;
create function pg_catalog.replicate(text, integer) returns text language sql immutable strict as
$$ select repeat($1, $2) $$;

-- `||` takes text on both sides, and other types are converted implicitly (casts.sql). The same applies to concat(),
-- which on Redshift takes two arguments and is NULL if one of them is NULL.
update pg_operator set oprname = '|||'
where oprname = '||' and (oprleft, oprright) not in (
  ('text'::regtype, 'text'::regtype), ('jsonb'::regtype, 'jsonb'::regtype),
  -- psql's \d+ concatenates arrays of the catalog.
  ('anycompatiblearray'::regtype, 'anycompatiblearray'::regtype));
alter function pg_catalog.concat("any") rename to local_concat_all;
create function pg_catalog.concat(text, text) returns text language sql immutable strict as $$ select $1 || $2 $$;

-- regexp_substr returns '' if nothing matches. regexp_replace replaces every match, and $1 refers to a group.
alter function pg_catalog.regexp_substr(text, text) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer, integer) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer, integer, text) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer, integer, text, integer) rename to local_regexp_substr;
create function pg_catalog.regexp_substr(
  value text, pattern text, start integer default 1, occurrence integer default 1, flags text default '')
returns text language sql immutable strict as
$$ select coalesce(local_regexp_substr(value, pattern, start, occurrence, translate(flags, 'ep', ''),
                                       case when flags like '%e%' then 1 else 0 end), '') $$;
alter function pg_catalog.regexp_replace(text, text, text) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, text) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, integer) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, integer, integer) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, integer, integer, text) rename to local_regexp_replace;
create function pg_catalog.regexp_replace(
  value text, pattern text, replacement text default '', start integer default 1, flags text default '')
returns text language sql immutable strict as
$$ select local_regexp_replace(value, pattern,
     local_regexp_replace(replacement, '\$(\d)', '\\\1', 'g'), start, 0, translate(flags, 'ep', '')) $$;

-- VARCHAR(n) counts bytes.

create function pg_catalog.local_first_bytes(value text, bytes integer) returns text
language plpgsql immutable strict as $$
declare kept text := left(value, bytes);
begin
  while octet_length(kept) > bytes loop
    kept := left(kept, -greatest(1, (octet_length(kept) - bytes) / 4));
  end loop;
  return kept;
end $$;

create function pg_catalog.local_too_long(value text, bytes integer) returns text language plpgsql immutable as $$
begin
  raise exception 'value too long for type character varying(%)', bytes
    using errcode = 'string_data_right_truncation';
end $$;

-- The cast that PostgreSQL applies to every value of a VARCHAR(n). $2 is n + 4, and $3 is true for an explicit cast.
-- It is a single CASE and not strict, so that the planner inlines it.
create function pg_catalog.local_varchar(character varying, integer, boolean) returns character varying
language sql immutable parallel safe as $$
  select case when $2 >= 4 and octet_length($1) > $2 - 4
              then case when $3 or octet_length(rtrim($1)) <= $2 - 4 then local_first_bytes($1, $2 - 4)::varchar
                        else local_too_long($1, $2 - 4)::varchar end
              else $1 end $$;
update pg_cast set castfunc = 'pg_catalog.local_varchar'::regproc
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;

-- CHAR(n) accepts only single-byte characters.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html#r_Character_types-char-or-character
create function pg_catalog.local_char_refused(character) returns text language plpgsql immutable as $$
begin
  raise exception 'Multibyte character not supported for CHAR (Hint: Try using VARCHAR)'
    using errcode = 'untranslatable_character';
end $$;
create function pg_catalog.local_char(character, integer, boolean) returns character
language sql immutable parallel safe as $$
  select case when octet_length($1::text) <> length($1::text) then local_char_refused($1)::bpchar else bpchar($1, $2, $3) end $$;
update pg_cast set castfunc = 'pg_catalog.local_char'::regproc
where castsource = 'bpchar'::regtype and casttarget = 'bpchar'::regtype;
