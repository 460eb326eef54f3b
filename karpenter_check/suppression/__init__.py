"""Findings that somebody decided to leave be, for a reason and perhaps for a time."""
