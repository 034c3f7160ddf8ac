"""
The routers, one file or folder each: from weights to the routing objects, and back. No I/O.

A `Router` (`router.py`) says what it reads and writes, what its objects have to be (`render`),
what they say now (`observe`), and what leaves nothing behind (`clear`). `routing.py` lists them,
and makes several one.
"""
