"""What is generated from a family: the registration, the loaders' data, the pages."""
