"""LangChain tools for the concierge."""
