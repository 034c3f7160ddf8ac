"""A pod's address is nobody else's."""

import pytest

from rollouts.errors import RetryLater
from rollouts.sandbox.workloads.addresses import Addresses


def test_addresses_follow_one_another() -> None:
    addresses = Addresses(9)
    taken = [addresses.take() for _ in range(251)]
    assert taken[0] == "127.9.1.1"
    assert taken[249:] == ["127.9.1.250", "127.9.2.1"]


def test_one_that_was_given_back_is_not_used_next() -> None:
    addresses = Addresses(9)
    first = addresses.take()
    addresses.give_back(first)
    assert addresses.take() != first


def test_all_are_used_before_it_says_no() -> None:
    addresses = Addresses(9)
    taken = {addresses.take() for _ in range(250 * 250)}
    assert len(taken) == 250 * 250
    with pytest.raises(RetryLater):
        addresses.take()
    addresses.give_back("127.9.7.7")
    assert addresses.take() == "127.9.7.7"
