"""One YAML file, read and checked: every problem with its line and column, or a family."""
