"""Parse an UNLOAD statement, and check its query and options."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..copy.options import Reader, read_common, unquote
from ..errors import Refused, SqlError
from ..service import REGION
from ..sql.refusals import not_covered
from ..sql.statement import Names, Statement
from ..sql.statements import translate
from ..sql.tokens import Token, identifier, tokenize, visible


@dataclass
class Options:
    """A parsed UNLOAD. `query` is in PostgreSQL's SQL once its aliases are resolved."""

    query: Statement
    bucket: str
    key: str
    role: str = ""
    region: str = REGION
    format: str = "text"
    delimiter: str = ""
    null: str = ""
    compression: str = ""
    extension: str = ""
    escape: bool = False
    add_quotes: bool = False
    header: bool = False
    manifest: bool = False
    parallel: bool = True
    allow_overwrite: bool = False
    clean_path: bool = False
    max_size: int = 6_200_000_000  # bytes per file
    partition_by: list[str] = field(default_factory=list)
    include: bool = False  # whether the files also have the columns of PARTITION BY
    # Arguments of PutObject. The bucket's default encryption applies only with ENCRYPTED AUTO.
    encryption: dict[str, str] = field(default_factory=lambda: {"ServerSideEncryption": "AES256"})
    options: set[str] = field(default_factory=set)


def parse(sql: str, names: Names) -> Options:
    """Parse the statement. Raise SqlError for an error, or with the name of a feature that is not covered."""
    reader = Reader(visible(tokenize(sql)))
    reader.take()
    _expect(reader, "(")
    token = reader.take()
    if token.kind != "string":
        raise SqlError(f'syntax error at or near "{token.text}": UNLOAD needs its query in quotes', "42601")
    statements = translate(_query(token), names)
    if len(statements) != 1:
        raise SqlError("UNLOAD needs one query", "42601")
    _expect(reader, ")")
    _expect(reader, "to")
    target = reader.string("TO")
    match = re.fullmatch(r"s3://([^/]+)/(.*)", target)
    if match is None:
        raise SqlError(f"Invalid S3 path {target}: it needs a bucket and a key prefix")
    options = Options(statements[0], match[1], match[2])
    reader.skip("with")
    while reader:
        _option(reader, options)
    _check(options)
    return options


def _expect(reader: Reader, text: str) -> None:
    if (token := reader.take()).low != text:
        raise SqlError(f'syntax error at or near "{token.text}"', "42601")


def _query(token: Token) -> str:
    if token.text.startswith("$"):
        tag = token.text[: token.text.index("$", 1) + 1]
        return token.text[len(tag) : -len(tag)]
    return unquote(token)


def select(statement: Statement) -> str:
    """Return the query that an UNLOAD runs, or raise SqlError if it is not a valid SELECT."""
    if statement.kind == "refused":
        raise Refused(statement.text)
    tokens = visible(tokenize(statement.text))
    if statement.kind != "plain" or tokens[0].low not in ("select", "with", "("):
        raise SqlError(f'syntax error at or near "{tokens[0].text}": UNLOAD needs a SELECT', "42601")
    depth = 0
    for part in tokens:
        depth += {"(": 1, ")": -1}.get(part.text, 0)
        if depth == 0 and part.low == "limit" and part.kind == "word":
            raise Refused("Limit clause is not supported: put it into a subquery")
    return statement.text


def _partition(reader: Reader, options: Options) -> None:
    _expect(reader, "by")
    _expect(reader, "(")
    while (token := reader.take()).text != ")":
        if token.text != ",":
            options.partition_by.append(identifier(token))
    if reader.peek() == "include":
        reader.take()
        options.include = True


def _encrypted(reader: Reader, options: Options) -> None:
    if reader.peek() == "auto":
        reader.take()
        options.options.add("auto")
        options.encryption = {}


def _kms_key(reader: Reader, options: Options) -> None:
    options.encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": reader.string("KMS_KEY_ID")}


def _max_size(reader: Reader, options: Options) -> None:
    reader.skip("as")
    size = reader.take().text.strip("'")
    unit = {"mb": 1_000_000, "gb": 1_000_000_000}.get(reader.peek(), 0)
    if unit:
        reader.take()
    try:
        options.max_size = int(float(size) * (unit or 1_000_000))
    except ValueError:
        raise SqlError(f'syntax error at or near "{size}": MAXFILESIZE needs a number', "42601") from None
    if not 5_000_000 <= options.max_size <= 6_200_000_000:
        raise SqlError("MAXFILESIZE must be between 5 MB and 6.2 GB", "22023")


_FLAGS = {
    "escape": "escape", "addquotes": "add_quotes", "header": "header", "manifest": "manifest", "parallel": "parallel",
    "allowoverwrite": "allow_overwrite", "cleanpath": "clean_path",
}  # fmt: skip
_OTHERS: dict[str, Callable[[Reader, Options], None]] = {
    "maxfilesize": _max_size,
    "encrypted": _encrypted,
    "kms_key_id": _kms_key,
    "partition": _partition,
}


def _option(reader: Reader, options: Options) -> None:
    token = reader.take()
    option = token.low
    if option == "format":
        reader.skip("as")
        token = reader.take()
        option = token.low
        if option not in ("csv", "json", "parquet"):
            raise not_covered(f"UNLOAD ... FORMAT {token.text.upper()}")
    if read_common(reader, option, options, {"delimiter", "null", "region", "extension"}):
        return
    if option in ("csv", "json", "parquet"):
        options.format = option
    elif option in _FLAGS:
        if option == "manifest" and reader.peek() == "verbose":
            raise not_covered("UNLOAD ... MANIFEST VERBOSE")
        given = reader.peek() in ("on", "off", "true", "false")
        setattr(options, _FLAGS[option], not given or reader.take().low in ("on", "true"))
    elif option in _OTHERS:
        _OTHERS[option](reader, options)
    else:
        raise not_covered(f"UNLOAD ... {token.text.upper()}")


def _check(options: Options) -> None:
    if not options.role:
        raise SqlError("UNLOAD needs IAM_ROLE 'arn:...' or CREDENTIALS 'aws_iam_role=arn:...'", "42601")
    if len(options.options & {"csv", "json", "parquet"}) > 1:
        raise SqlError("conflicting or redundant options: FORMAT", "42601")
    if options.allow_overwrite and options.clean_path:
        raise SqlError("CLEANPATH and ALLOWOVERWRITE options cannot be used together", "42601")
    if "kms_key_id" in options.options and ("encrypted" not in options.options or "auto" in options.options):
        raise SqlError("KMS_KEY_ID needs ENCRYPTED, without AUTO", "42601")
    text = {"escape", "addquotes"}
    refused = {
        "csv": text,
        "json": text | {"delimiter", "null", "header"},
        "parquet": text | {"delimiter", "null", "header", "gzip", "bzip2", "zstd", "extension"},
    }
    for option in sorted(options.options & refused.get(options.format, set())):
        raise SqlError(
            f"{option.upper()} option is not supported for UNLOAD to {options.format.upper()}", "42601"
        )
    options.delimiter = options.delimiter or ("," if options.format == "csv" else "|")
    if len(options.delimiter.encode()) != 1:
        raise SqlError("UNLOAD delimiter must be a single character", "22023")
