"""Tests of the validation of recipes."""
