"""The embedded tracker: MediaPipe's published face models in LiteRT."""
