"""Reading any pydantic model out of YAML, with the file, line and nearest name of every mistake."""
