"""One file per foreign format, each giving a table of AU intensities over time."""
