"""One module per kind of value: text in, the normal form or a reason out. No I/O beyond the data files beside them."""
