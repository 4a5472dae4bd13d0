"""Sphinx configuration."""

project = "xinference-internvl2"
author = "the xinference-internvl2 contributors"
copyright = author
extensions = ["sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True
html_theme = "furo"
html_title = project
