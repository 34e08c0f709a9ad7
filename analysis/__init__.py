"""Knows: what the text and the environment say, as plain data; it imports nothing of ours and never runs user code outside the sandbox."""
