"""The only rooms that touch containers and codecs."""
