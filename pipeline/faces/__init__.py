"""Who is where: chunks, tracks, cuts, crops, and the analysis table."""
