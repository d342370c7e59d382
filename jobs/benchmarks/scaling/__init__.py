"""What a job makes of many GPUs: pretended ones of real processes, and those of a clock."""
