"""Teaches the embedded model to fill in the middle: a leaf that nothing imports (extra ``train``)."""
