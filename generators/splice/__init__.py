"""Splices: a region or a stretch from another place, moment or recording in a genuine take."""
