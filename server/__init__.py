"""Speaks: the command line, the language server and the benches; it converts, calls and converts back, and computes nothing itself."""
