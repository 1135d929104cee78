-- Redshift ignores trailing blanks when it compares, joins, groups or sorts VARCHARs. PostgreSQL does so only for CHAR.
-- Therefore, the operators of text call the functions of CHAR, which read the same bytes. LIKE and LEN include the
-- blanks.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html#r_Character_types-significance-of-trailing-blanks
update pg_operator as of_text set oprcode = of_char.oprcode, oprrest = of_char.oprrest, oprjoin = of_char.oprjoin
from pg_operator as of_char
where of_text.oprleft = 'text'::regtype and of_text.oprright = 'text'::regtype
  and of_char.oprleft = 'bpchar'::regtype and of_char.oprright = 'bpchar'::regtype
  and of_char.oprname = of_text.oprname and of_text.oprname in ('=', '<>', '<', '<=', '>', '>=');
update pg_amproc as of_text set amproc = of_char.amproc
from pg_amproc as of_char, pg_opfamily as text_ops, pg_opfamily as char_ops
where text_ops.opfname = 'text_ops' and char_ops.opfname = 'bpchar_ops' and text_ops.opfmethod = char_ops.opfmethod
  and of_text.amprocfamily = text_ops.oid and of_text.amproclefttype = 'text'::regtype
  and of_char.amprocfamily = char_ops.oid and of_char.amproclefttype = 'bpchar'::regtype
  and of_text.amprocrighttype = 'text'::regtype and of_text.amprocnum = of_char.amprocnum;
-- Because equal values may have different bytes, an index stores each of them and is not used for LIKE.
delete from pg_amproc
where amproc = 'btvarstrequalimage'::regproc and amproclefttype = 'text'::regtype;
update pg_proc set prosupport = 0 where prosupport = 'textlike_support'::regproc;
