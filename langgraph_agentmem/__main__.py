"""The command line as `python -m langgraph_agentmem`, where its script is not on the PATH."""

from langgraph_agentmem.cli import main

if __name__ == "__main__":  # importing every module, as tools do, runs nothing
    main()
