#!/usr/bin/env python3
"""Run the generator of this checkout from wherever it is called."""

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    runpy.run_module("generator", run_name="__main__", alter_sys=True)
