"""Writes down what failed, so that an operator can see why, for whom and since when.

Events of a request are collected on it and written after the view's transaction, which would take
them away with it, and after the answer, which does not wait for them; without a request they are
written at once. Writing never breaks anything: what the database refuses is logged.
"""

from django_entra_auth.recorder.receivers import connect, take_events, write_after_answer
from django_entra_auth.recorder.rows import prune, write_events

__all__ = ["connect", "prune", "take_events", "write_after_answer", "write_events"]
