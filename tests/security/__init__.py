"""Nobody gets in where they do not belong, whatever they call things."""
