"""What synthesizers share."""
