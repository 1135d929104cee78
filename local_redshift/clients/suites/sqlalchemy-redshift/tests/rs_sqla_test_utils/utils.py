"""Compare SQL without layout, encodings and constraint names, as the tests need it."""

import re

import sqlalchemy as sa
from sqlalchemy.engine import URL


def clean(query):
    query = re.sub(r"\s+ENCODE\s+\w+", "", query)
    query = re.sub(r'\s+CONSTRAINT\s+[\w".]+', "", query)
    query = re.sub(r"\s+", " ", query).strip()
    return query.replace("( ", "(").replace(" )", ")").rstrip(";")


def compile_query(query, dialect):
    if isinstance(query, str):
        return query
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def make_mock_engine(name):
    return sa.create_mock_engine(URL.create(name), executor=None)
