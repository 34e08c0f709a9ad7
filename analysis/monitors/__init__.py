"""Monitors: what may be written next, from analysis alone; one file each, they read no file and ask only the facts they are given."""
