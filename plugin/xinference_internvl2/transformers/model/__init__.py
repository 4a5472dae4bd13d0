"""A checkpoint made into a module of torch, with the classes of transformers."""
