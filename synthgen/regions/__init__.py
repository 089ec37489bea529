"""Where a defect may be: the foreground, and the shapes of masks."""
