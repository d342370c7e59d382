"""QuickTime and MP4 files as boxes: what FFmpeg does not show of them. Bytes only, no codec."""
