"""The next status: each function here takes a move and returns the next one. None of them writes."""
