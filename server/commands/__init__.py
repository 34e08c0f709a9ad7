"""One module per sub-command of `assist`; each converts arguments, calls and prints, and never computes."""
