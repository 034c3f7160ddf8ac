"""Faults on order."""

import asyncio

import pytest
from aiohttp import ClientSession

from rollouts.sandbox.apiserver.server import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"


async def created(http: ClientSession, name: str) -> int:
    async with http.post(MAPS, json={"metadata": {"name": name}}) as response:
        return response.status


@pytest.mark.parametrize("code", [409, 500, 503])
async def test_the_next_writes_fail(http: ClientSession, server: ApiServer, code: int) -> None:
    server.faults.fail_writes("configmaps", count=2, code=code)
    async with http.get(MAPS) as response:
        assert response.status == 200
    assert [await created(http, "one") for _ in range(3)] == [code, code, 201]


async def test_it_hangs_until_it_resumes(http: ClientSession, server: ApiServer) -> None:
    server.faults.hang()
    task = asyncio.create_task(created(http, "one"))
    done, _ = await asyncio.wait([task], timeout=0.1)
    assert not done
    server.faults.resume()
    async with asyncio.timeout(5):
        assert await task == 201
