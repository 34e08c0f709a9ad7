"""A small module that is slower than it need be, with tests; data for the demo and for first tries, imported by nothing."""
