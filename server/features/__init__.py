"""One module per feature of the protocol: convert, call, convert back; each offers `register(server)` and decides nothing else."""
