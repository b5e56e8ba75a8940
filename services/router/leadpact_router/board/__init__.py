"""The board: what is going on with the leads right now, as pages that any browser can show."""
