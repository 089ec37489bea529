"""Where images come from: one data set a file, and one table of them in ``registry``."""
