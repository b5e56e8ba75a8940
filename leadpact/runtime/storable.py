"""Say what text can be stored, so that a route refuses the rest before it reaches a statement."""

NO_NUL = r"^[^\x00]*$"
"""A pattern for any text but one with U+0000, which PostgreSQL's text cannot hold."""
