"""The typed facts that pass between LangChain on one side and files and sinks on the other."""
