"""Runs both versions of a function in a sandbox and says what that proved; nothing of the workspace runs outside it."""
