"""Worker, part 7 (filled by the recorder)."""
