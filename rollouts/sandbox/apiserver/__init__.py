"""
An API server on loopback that kubectl and the official client take for a small cluster.

Everything is in memory and in one asyncio loop: a write is atomic because nothing
awaits in the middle of it. Nothing here schedules, starts or routes anything;
the rooms next door do, through `Store`.
"""
