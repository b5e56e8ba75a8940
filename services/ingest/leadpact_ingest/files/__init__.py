"""Reading uploaded files: hostile until proven readable, parsed away from the service, row by row."""
