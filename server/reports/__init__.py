"""One module per form in which results leave the program; each converts plain data and computes nothing."""
