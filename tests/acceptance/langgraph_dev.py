"""`langgraph` on the project in the working directory."""

import sys
import warnings

from langgraph_cli.cli import cli

warnings.resetwarnings()  # of the server's own, nobody here can do away with
sys.path.insert(0, ".")
sys.argv[0] = "langgraph"
cli()
