"""Reading and writing below a path or URL."""
