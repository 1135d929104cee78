"""The tables whose DDL the reflection tests contain."""

import sqlalchemy as sa
from sqlalchemy.orm import declarative_base

Base = declarative_base()
EVEN = {"redshift_diststyle": "EVEN"}


def model(name, table, *parts, **options):
    """Return a mapped class for ``table``. A part is a constraint or a column: name, type, arguments, keywords."""
    body = {"__tablename__": table}
    constraints = []
    for part in parts:
        if isinstance(part, tuple):
            column, kind, *rest = part
            keywords = rest.pop() if rest and isinstance(rest[-1], dict) else {}
            body[f"{column}_"] = sa.Column(column, kind, *rest, **keywords)
        else:
            constraints.append(part)
    body["__table_args__"] = (*constraints, options or EVEN)
    return type(name, (Base,), body)


KEY = {"primary_key": True}
COL1, COL2 = ("col1", sa.Integer, KEY), ("col2", sa.Integer)


class Basic(Base):
    __tablename__ = "basic"
    name = sa.Column(sa.Unicode(64), primary_key=True)
    __table_args__ = ({"redshift_diststyle": "KEY", "redshift_distkey": "name", "redshift_sortkey": "name"},)


class LongTablename(Base):
    __tablename__ = "a_table_with_a_name_of_more_than_sixty_three_characters_that_redshift_allows"
    metric = sa.Column(sa.Integer, primary_key=True, autoincrement=False)


ReflectionDistKey = model(
    "ReflectionDistKey", "reflection_distkey", COL1, COL2, redshift_diststyle="KEY", redshift_distkey="col1"
)
ReflectionSortKey = model(
    "ReflectionSortKey",
    "reflection_sortkey",
    COL1,
    COL2,
    redshift_diststyle="EVEN",
    redshift_sortkey=("col1", "col2"),
)
ReflectionInterleavedSortKey = model(
    "ReflectionInterleavedSortKey",
    "reflection_interleaved_sortkey",
    COL1,
    COL2,
    redshift_diststyle="EVEN",
    redshift_interleaved_sortkey=("col1", "col2"),
)


class ReflectionSortKeyDistKeyWithSpaces(Base):
    __tablename__ = "sort_key_with_spaces"
    col1 = sa.Column("col with spaces", sa.Integer, nullable=False)
    __table_args__ = (
        {
            "redshift_diststyle": "KEY",
            "redshift_distkey": "col with spaces",
            "redshift_sortkey": "col with spaces",
        },
    )
    __mapper_args__ = {"primary_key": [col1]}


ReflectionUniqueConstraint = model(
    "ReflectionUniqueConstraint",
    "reflection_unique_constraint",
    COL1,
    COL2,
    sa.UniqueConstraint("col1", "col2"),
)
ReflectionPrimaryKeyConstraint = model(
    "ReflectionPrimaryKeyConstraint",
    "reflection_pk_constraint",
    ("col1", sa.Integer),
    ("col2", sa.Integer),
    sa.PrimaryKeyConstraint("col1", "col2"),
)
ReflectionNamedPrimaryKeyConstraint = model(
    "ReflectionNamedPrimaryKeyConstraint",
    "reflection_named_pk_constraint",
    ("col1", sa.Integer),
    ("col2", sa.Integer),
    sa.PrimaryKeyConstraint("col1", "col2", name="reflection_named_pk_constraint__pkey"),
)
ReflectionForeignKeyConstraint = model(
    "ReflectionForeignKeyConstraint",
    "reflection_fk_constraint",
    ("col1", sa.Integer, sa.ForeignKey("reflection_unique_constraint.col1"), KEY),
    COL2,
)
ReflectionNamedForeignKeyConstraint = model(
    "ReflectionNamedForeignKeyConstraint",
    "reflection_named_fk_constraint",
    COL1,
    COL2,
    sa.ForeignKeyConstraint(
        ["col1"], ["reflection_unique_constraint.col1"], name="reflection_named_fk_constraint__fk"
    ),
)
ReflectionDefaultValue = model(
    "ReflectionDefaultValue",
    "reflection_default_value",
    COL1,
    ("col2", sa.Integer, {"server_default": sa.text("5")}),
)
ReflectionIdentity = model(
    "ReflectionIdentity",
    "reflection_identity",
    COL1,
    ("col2", sa.Integer, {"redshift_identity": (1, 3)}),
    ("col3", sa.Integer),
)
ReflectionDelimitedTableName = model(
    "ReflectionDelimitedTableName",
    "this.table",
    ("id", sa.Integer, KEY),
    schema="other_schema",
    redshift_diststyle="EVEN",
)
ReflectionDelimitedTableNoSchema = model(
    "ReflectionDelimitedTableNoSchema", "this.table", ("id", sa.Integer, KEY)
)
BasicInOtherSchema = model(
    "BasicInOtherSchema",
    "basic",
    COL1,
    schema="other_schema",
    redshift_diststyle="KEY",
    redshift_distkey="col1",
    redshift_sortkey="col1",
)
ReflectionDelimitedIdentifiers1 = model(
    "ReflectionDelimitedIdentifiers1",
    "group",
    ('this "is it"', sa.Integer, KEY),
    ("and this also", sa.Integer),
)
ReflectionDelimitedIdentifiers2 = model(
    "ReflectionDelimitedIdentifiers2",
    "column",
    ("excellent! & column", sa.Integer, KEY),
    ("most @exce.llent ", sa.Integer),
)
ReflectionCustomReservedWords = model(
    "ReflectionCustomReservedWords",
    "aes256",
    ("open", sa.Integer),
    ("tag", sa.Integer),
    ("pkey", sa.Integer, KEY),
)
Referenced = model(
    "Referenced",
    "referenced",
    ("id", sa.Integer, {"primary_key": True, "nullable": False, "redshift_identity": (1, 1)}),
    schema="other_schema",
    redshift_diststyle="EVEN",
)
Referencing = model(
    "Referencing",
    "referencing",
    ("referenced_table_id", sa.Integer, sa.ForeignKey("other_schema.referenced.id"), KEY),
    schema="other_schema",
    redshift_diststyle="EVEN",
)
ReflectionCompositeForeignKeyConstraint = model(
    "ReflectionCompositeForeignKeyConstraint",
    "reflection_composite_fk_constraint",
    ("id", sa.Integer, KEY),
    ("col1", sa.Integer),
    ("col2", sa.Integer),
    sa.ForeignKeyConstraint(
        ["col1", "col2"], ["reflection_pk_constraint.col1", "reflection_pk_constraint.col2"]
    ),
)
