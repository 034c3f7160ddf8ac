"""
Verbs: what people and CI type. Nothing is decided here, and nothing else imports this room.

Typer itself is all that is imported before a verb is known: what a verb needs, it imports
when it runs, so that `--help` and completion answer at once.
"""
