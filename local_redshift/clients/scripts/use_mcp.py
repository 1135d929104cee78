"""First-day work of an agent with the AWS MCP server for Redshift: list clusters and objects, then run a query."""

import asyncio
import json
import os
import sys
from typing import Any

import boto3
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from steps import DATABASE, PASSWORD, USER, expect, refused, step

CLUSTER = "mcp"


async def main() -> None:
    redshift = boto3.client("redshift")
    redshift.create_cluster(
        ClusterIdentifier=CLUSTER,
        NodeType="ra3.xlplus",
        ClusterType="single-node",
        MasterUsername=USER,
        MasterUserPassword=PASSWORD,
        DBName=DATABASE,
    )
    data = boto3.client("redshift-data")
    target = {"ClusterIdentifier": CLUSTER, "Database": DATABASE, "DbUser": USER}
    for sql in (
        "create table public.songs (id int, title varchar(20))",
        "insert into public.songs values (1, 'Yellow'), (2, 'Blue')",
        "grant select on public.songs to public",
    ):
        data.execute_statement(**target, Sql=sql, WaitTimeSeconds=30)
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "awslabs.redshift_mcp_server.server"], env=dict(os.environ)
    )
    async with stdio_client(command) as streams, ClientSession(*streams) as session:
        await session.initialize()

        async def call(tool: str, **arguments: Any) -> Any:
            done = await session.call_tool(tool, arguments)
            text = [content.text for content in done.content]
            if getattr(done, "is_error", getattr(done, "isError", False)):
                raise RuntimeError(" ".join(text))
            found = [json.loads(each) for each in text]
            return found[0] if len(found) == 1 and isinstance(found[0], list) else found

        where = {"cluster_identifier": CLUSTER, "cluster_type": "provisioned"}
        here = where | {"database_name": DATABASE}
        with step("list clusters"):
            expect(CLUSTER in {each["identifier"] for each in await call("list_clusters")}, True)
        with step("list databases"):
            found = await call("list_databases", **where, database_name=DATABASE)
            expect(DATABASE in {each["database_name"] for each in found}, True)
        for name, tool, arguments, key, wanted in (
            ("list schemas", "list_schemas", {"schema_database_name": DATABASE}, "schema_name", "public"),
            (
                "list tables",
                "list_tables",
                {"table_database_name": DATABASE, "table_schema_name": "public"},
                "table_name",
                "songs",
            ),
            (
                "list columns",
                "list_columns",
                {
                    "column_database_name": DATABASE,
                    "column_schema_name": "public",
                    "column_table_name": "songs",
                },
                "column_name",
                "title",
            ),
        ):
            with step(name):
                found = await call(tool, **where, **arguments)
                expect(wanted in {each[key] for each in found}, True)
        with step("execute a query"):
            found = await call("execute_query", **here, sql="select count(*) as n from public.songs")
            expect("2" in json.dumps(found), True)
        with refused("a write is refused, because the transaction is read-only", "read-only"):
            await call("execute_query", **here, sql="delete from public.songs")
        with step("the refused write changed nothing"):
            found = await call("execute_query", **here, sql="select count(*) as n from public.songs")
            expect("2" in json.dumps(found), True)


asyncio.run(main())
