"""What is said to people: one list of it, and each thing said in one place and in one way."""

import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

from typer.main import get_command

from rollouts.cli.main import app
from tests.messages import HOLE, KINDS_BY_PLACE, OTHERS_WORDS, ROOT, Message, messages, page

# What is said in more than one place, and why. Don't add to these; make it one.
SAID_TWICE: dict[str, str] = {
    "in the last {…} at this weight": "a part of what one judge says of many requests, and of few",
    "the routes are cleared": "what an edit waits for, and what giving back does",
    "traffic goes back to stable{…}": "the answer to an abort, and to a second one",
    "{…}; there is no hold to pass": "a part, with a subject of its own in each place",
}
# What differs from another message by one word, and why both are needed.
NEARLY_THE_SAME: dict[str, str] = {
    "Service {…} does not exist; create it, or correct {…}": "TrafficSplits name a third Service",
    "to the old version, failed": "the rows of a table",
    "{…} is not ready after {…} s: {…}": "the sandbox, and a wait for a release",
    "{…} {…} does not exist; create it, or correct {…}": "objects of the Gateway API",
    "{…} {…} exists and is not this Rollout's; remove or rename it": "objects of the Gateway API",
}
FEW_WORDS = 4
"""Of so many words or fewer, two that differ by one say different things."""


VERB = re.compile(r"`(?:kubectl )?rollouts ([a-z][a-z-]*)")


def sentences() -> list[Message]:
    return [each for each in messages() if len(words(each.text.replace(HOLE, ""))) > FEW_WORDS]


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w'-]+|…", text.lower()))


def twice() -> dict[str, list[str]]:
    """Return what is said in several places, with these."""
    places = defaultdict(list)
    for each in messages():
        if len(words(each.text.replace(HOLE, ""))) > 2:
            places[each.text].append(each.place)
    return {text: found for text, found in places.items() if len(found) > 1}


def nearly_the_same() -> dict[str, str]:
    """Return the pairs that differ by one word, the later of the two by the earlier."""
    by_length = defaultdict(set)
    for each in sentences():
        by_length[len(words(each.text))].add(each.text)
    return {
        later: earlier
        for texts in by_length.values()
        for earlier, later in combinations(sorted(texts), 2)
        if differ_by_one(words(earlier), words(later))
    }


def differ_by_one(one: Iterable[str], other: Iterable[str]) -> bool:
    return sum(mine != theirs for mine, theirs in zip(one, other, strict=True)) <= 1


def test_the_list_is_that_of_the_source() -> None:
    """`make messages` writes it."""
    assert (ROOT / "docs/messages.md").read_text(encoding="utf-8") == page()


def test_nothing_is_said_in_two_places() -> None:
    """One sentence has one place: a function that both call."""
    found = twice()
    assert sorted(set(found) - set(SAID_TWICE)) == [], found
    assert sorted(set(SAID_TWICE) - set(found)) == [], "these are said once now: take them out"


def test_no_two_messages_differ_by_a_word() -> None:
    """Who greps for one finds the other, or takes it for another thing."""
    found = nearly_the_same()
    assert sorted(set(found) - set(NEARLY_THE_SAME)) == [], found
    assert sorted(set(NEARLY_THE_SAME) - set(found)) == [], "these differ by more: take them out"


def test_rooms_that_speak_for_others_exist() -> None:
    assert all((ROOT / room).is_dir() for room in OTHERS_WORDS)


def test_every_place_that_has_a_heading_is_there() -> None:
    assert [place for place in KINDS_BY_PLACE if not (ROOT / place).exists()] == []


def test_each_verb_that_a_message_names_is_one() -> None:
    """Also where it is the chart that speaks, at three in the morning."""
    verbs = set(getattr(get_command(app), "commands", {}))
    named = {verb: each for each in messages() for verb in VERB.findall(each.text)}
    assert {"get", "list"} <= set(named)
    assert not {each for verb, each in named.items() if verb not in verbs}
