"""Runs: models, their vocabularies and their memory; the only package that knows llama.cpp and onnxruntime."""
