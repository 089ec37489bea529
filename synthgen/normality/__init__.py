"""What good products look like in a network's features, and how much of a defect lies beyond that."""
