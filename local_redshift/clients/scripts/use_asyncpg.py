"""First-day work with asyncpg: a connection pool like that of a web service."""

import asyncio

import asyncpg
from steps import DATABASE, LOGIN, USER, expect, step


async def main() -> None:
    with step("connect"):
        connection = await asyncpg.connect(**LOGIN, database=DATABASE)
        expect(await connection.fetchval("select current_user"), USER)
        # asyncpg reads the version 8.0.2 and does not use features of newer PostgreSQL versions.
        expect(connection.get_server_version()[:3], (8, 0, 2))
        await connection.close()
    async with asyncpg.create_pool(**LOGIN, database=DATABASE, min_size=1, max_size=2) as pool:
        with step("create and insert through the pool"):
            async with pool.acquire() as connection:
                await connection.execute("create table plays (id int, song varchar(20))")
                await connection.executemany(
                    "insert into plays values ($1, $2)", [(n, f"s{n}") for n in range(20)]
                )
        with step("release and acquire again"):
            for _ in range(4):
                async with pool.acquire() as connection:
                    expect(await connection.fetchval("select count(*) from plays"), 20)
        with step("parallel queries"):
            rows = await asyncio.gather(
                *(pool.fetchval("select song from plays where id = $1", n) for n in range(8))
            )
            expect(rows, [f"s{n}" for n in range(8)])
        with step("transaction and cursor"):
            async with pool.acquire() as connection, connection.transaction():
                seen = [
                    row["id"]
                    async for row in connection.cursor("select id from plays order by id", prefetch=5)
                ]
                expect(seen, list(range(20)))
        with step("reset"):
            async with pool.acquire() as connection:
                await connection.execute("set search_path to public")
                await connection.reset()


asyncio.run(main())
