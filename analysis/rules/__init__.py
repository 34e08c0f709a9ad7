"""Rewrites that make Python code faster, as data and pure functions over libcst; they never run the code they rewrite."""
