"""LangChain events in, records out."""
