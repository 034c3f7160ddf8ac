"""What is known of a real API server's objects, whatever comes first: a watch or an answer."""

from contextlib import aclosing

from rollouts.model.kinds import JSON, POD, SERVICE
from rollouts.sandbox.apiserver.etcd import Change
from rollouts.sandbox.control_plane.cache import Cache


def pod(name: str, version: int, **labels: str) -> JSON:
    meta = {"name": name, "namespace": "shop", "resourceVersion": str(version), "labels": labels}
    return {"metadata": meta}


def version(cache: Cache, name: str) -> str:
    found = cache.get(POD, "shop", name)
    return found["metadata"]["resourceVersion"] if found else ""


async def heard(cache: Cache, count: int) -> list[Change]:
    found: list[Change] = []
    async with aclosing(cache.changes(POD)) as changes:
        async for change in changes:
            found.append(change)
            if len(found) == count:
                break
    return found


def test_what_a_list_does_not_say_of_its_items_is_known() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 3)], 5)
    (found,) = cache.select(POD)
    assert (found["apiVersion"], found["kind"]) == ("v1", "Pod")


def test_what_a_later_list_does_not_have_is_gone() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 3), pod("next", 4)], 5)
    cache.listed(POD, [pod("next", 4), pod("new", 6)], 7)
    assert [each["metadata"]["name"] for each in cache.select(POD)] == ["new", "next"]


def test_a_list_of_a_server_that_knows_less_counts() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 30)], 31)
    cache.listed(POD, [pod("web", 3)], 5)
    assert version(cache, "web") == "3"
    cache.answered(POD, pod("web", 6))
    assert version(cache, "web") == "6"


def test_an_older_version_never_replaces_a_newer_one() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 3)], 5)
    cache.answered(POD, pod("web", 8))
    cache.happened(POD, "MODIFIED", pod("web", 7))
    assert version(cache, "web") == "8"


def test_an_answer_that_was_on_its_way_brings_nothing_back() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 3)], 5)
    cache.happened(POD, "DELETED", pod("web", 9))
    cache.answered(POD, pod("web", 8))
    assert cache.get(POD, "shop", "web") is None
    cache.happened(POD, "BOOKMARK", {"metadata": {"resourceVersion": "12"}})
    cache.answered(POD, pod("web", 11))
    assert cache.select(POD) == []


def test_objects_are_found_by_namespace_and_labels() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 3, app="web"), pod("next", 4, app="next")], 5)
    assert [each["metadata"]["name"] for each in cache.select(POD, "shop", {"app": "web"})] == [
        "web"
    ]
    assert cache.select(POD, "other") == cache.select(SERVICE) == []


async def test_who_follows_hears_what_is_there_and_then_what_happens() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 3)], 5)
    async with aclosing(cache.changes(POD)) as changes:
        assert (await anext(changes)).type == "ADDED"
        cache.listed(SERVICE, [pod("web", 6)], 6)
        cache.happened(POD, "MODIFIED", pod("web", 7))
        cache.happened(POD, "DELETED", pod("web", 8))
        assert [(await anext(changes)).type for _ in range(2)] == ["MODIFIED", "DELETED"]
    assert cache._subscribers == []


async def test_nobody_changes_what_is_known() -> None:
    cache = Cache()
    cache.listed(POD, [pod("web", 3)], 5)
    for found in (*cache.select(POD), *(each.object for each in await heard(cache, 1))):
        found["metadata"]["resourceVersion"] = "4"
    assert version(cache, "web") == "3"
