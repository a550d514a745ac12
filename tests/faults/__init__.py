"""No failure of watching reaches the graph, and none goes uncounted."""
