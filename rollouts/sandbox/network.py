"""A sandbox's own part of loopback, 127.N.0.0/16, so that several run side by side."""

import ipaddress
import random
import socket
from dataclasses import dataclass
from typing import Self

from rollouts.errors import Permanent

NUMBERS = range(10, 251)
_LOCK_PORT = 6440  # bound as long as the network is ours, on its first address


LOOPBACK, TOLD_ELSEWHERE = 127, 10
"""
The first number of a pod's address as it is, and as it is told to an API server that refuses
endpoints on loopback.
"""
_FIRST_POD = 256  # before it are the API server, the data plane, Prometheus and the controller


@dataclass(frozen=True, slots=True)
class PodNetwork:
    """
    The addresses of a sandbox's pods, 127.N.1.1 and so on, and what the API server is told they are.

    Nothing is ever sent to an address that is not one of them.
    """

    number: int
    told_as: int = LOOPBACK

    def told(self, address: str) -> str:
        """Return what the API server is told of an address of ours."""
        return f"{self.told_as}.{address.partition('.')[2]}"

    def reached(self, told: str) -> str | None:
        """Return the address of ours that is meant; None when it is not a pod's."""
        try:
            offset = int(ipaddress.IPv4Address(told)) - ((self.told_as << 24) + (self.number << 16))
        except ValueError:
            return None
        if not _FIRST_POD <= offset < 1 << 16:
            return None
        return f"{LOOPBACK}.{told.partition('.')[2]}"


class Network:
    """
    A claim on 127.N.0.0/16, held until `release` or the end of the process.

    Linux has all of 127.0.0.0/8 on loopback: no address has to be added, no privilege is needed.
    """

    def __init__(self, number: int, lock: socket.socket) -> None:
        self.number = number
        self._lock = lock

    @classmethod
    def claim(cls) -> Self:
        """
        Claim a free network, at random.

        Raises:
            Permanent: all are taken, or loopback has only 127.0.0.1.
        """
        reason = "all are taken"
        for number in random.sample(NUMBERS, len(NUMBERS)):
            lock = socket.socket()
            try:
                lock.bind((f"127.{number}.0.1", _LOCK_PORT))
            except OSError as error:
                reason = str(error)
                lock.close()
                continue
            return cls(number, lock)
        raise Permanent(
            f"no loopback network is free in 127.10.0.0 to 127.250.0.0 ({reason}); end a sandbox with `rollouts sandbox down`"
        )

    def release(self) -> None:
        self._lock.close()

    @property
    def control_plane(self) -> str:
        """The address of the API server, Prometheus, the exporter and the controller."""
        return f"127.{self.number}.0.1"

    @property
    def data_plane(self) -> str:
        """The address at which users' requests arrive."""
        return f"127.{self.number}.0.2"

    def __str__(self) -> str:
        return f"127.{self.number}.0.0/16"


def free_port(address: str, preferred: int) -> int:
    """
    Return `preferred`, or another free port where that is taken on `address`.

    It is taken on every loopback address as soon as anything listens on it for all
    addresses, as servers on people's machines often do.
    """
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
                probe.listen()  # only listeners are in each other's way with SO_REUSEADDR
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Permanent(f"no port is free on {address}; end a program that listens there")
