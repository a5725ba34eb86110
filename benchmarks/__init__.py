"""Measurements of this project against its alternatives, each a ratio within one run."""
