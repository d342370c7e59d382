"""One number over time; knows no file and no face."""
