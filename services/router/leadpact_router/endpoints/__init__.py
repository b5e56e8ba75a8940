"""The router's HTTP interface under ``/v1``, one module for each thing that it speaks of."""
