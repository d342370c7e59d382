"""What a run keeps on disk: names, who writes an output, each video's curve, what failed."""
