"""Leadpact: the sales-marketing agreement as running software."""

__version__ = "0.1.0"
